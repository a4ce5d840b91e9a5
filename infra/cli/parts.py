"""Cuts a file of rows into parts that the shop takes at once, reading it as the shop does, a row at a time."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
ROWS_AT_MOST, BYTES_AT_MOST = 5_000, 8 * 1024 * 1024
"""What the shop takes at once."""

Row = tuple[object, bytes]
"""A row after what it is about: neighbours that have this in common belong together."""


class NotRows(Exception):
    """The file is not one of rows that can be sent, or not a whole one; the message says why."""


class Part(NamedTuple):
    """A piece of a file that is a file itself; `before` counts the rows that stand before it, without the header."""

    number: int
    body: bytes
    before: int
    rows: int


class Survey(NamedTuple):
    """A file as a whole; `digest` is of its parts, so that FILE.csv and FILE.csv.gz are the same file."""

    digest: str
    rows: int


def format_of(file: Path) -> str | None:
    """What the file's name says: csv, ndjson or nothing."""
    suffix = Path(file.name.removesuffix(".gz")).suffix.lower()
    return {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}.get(suffix)


def parts_of(file: Path, format: str, part_rows: int, together: str | None = None) -> Iterator[Part]:
    """Rows of a CSV file stay together that follow each other and have the same in that column: a part may get longer.

    Raises NotRows, OSError.
    """
    if format == "ndjson":
        lines = enumerate(_lines(file, newline="\n"), 1)
        return _packed(((number, line.encode()) for number, line in lines), part_rows)
    records = _records(_lines(file, newline=""))
    names, header = next(records, ([], b""))
    at = names.index(together) if together in names else len(names)
    rows = ((cells[at] if len(cells) > at and cells[at] else n, text) for n, (cells, text) in enumerate(records))
    return _packed(rows, part_rows, header)


def survey(parts: Iterable[Part]) -> Survey:
    digest, rows = sha256(), 0
    for part in parts:
        digest.update(b"%d\n" % len(part.body))
        digest.update(part.body)
        rows += part.rows
    return Survey(digest.hexdigest(), rows)


def _packed(rows: Iterable[Row], part_rows: int, header: bytes = b"") -> Iterator[Part]:
    texts, size, number, before = [header], len(header), 1, 0
    for _, group in groupby(rows, key=itemgetter(0)):
        whole = [text for _, text in islice(group, ROWS_AT_MOST + 1)]
        length, count = sum(map(len, whole)), len(texts) - 1
        if len(whole) > ROWS_AT_MOST or len(header) + length > BYTES_AT_MOST:
            raise NotRows(f"what begins on row {before + count + 1} is longer than the shop takes at once")
        if count and (count + len(whole) > part_rows or size + length > BYTES_AT_MOST):
            yield Part(number, b"".join(texts), before, count)
            texts, size, number, before = [header], len(header), number + 1, before + count
        texts += whole
        size += length
    if len(texts) > 1:
        yield Part(number, b"".join(texts), before, len(texts) - 1)


def _records(lines: Iterable[str]) -> Iterator[tuple[list[str], bytes]]:
    """Each record that is not empty, with its text; one that is no CSV has no cells."""
    text: list[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            text.append(line)
            yield line

    reader = csv.reader(remembered(), strict=True)
    while True:
        text.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
        else:
            if not cells:
                continue
        yield cells, "".join(text).encode()


def _lines(file: Path, newline: str) -> Iterator[str]:
    """Lines with their ends, and without the mark that some editors put before the first."""
    number = 0
    try:
        with (
            gzip.open(file) if file.suffix == ".gz" else file.open("rb") as packed,
            io.TextIOWrapper(packed, "utf-8", errors="surrogateescape", newline=newline) as text,
        ):
            while line := text.readline(BYTES_AT_MOST):
                number += 1
                if len(line) == BYTES_AT_MOST:
                    raise NotRows(f"line {number} is longer than the shop takes at once")
                if not line.isascii():
                    line.encode()
                yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeEncodeError:
        raise NotRows(f"line {number} is not UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
        raise NotRows(f"{file} is a damaged gzip file ({fault}); it was perhaps not copied to its end") from fault
