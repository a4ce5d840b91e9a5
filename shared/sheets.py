"""Rows of a file, CSV (RFC 4180) or NDJSON: each with its number and what is wrong with it, whatever they mean.

A file that cannot be read at all is refused whole; a row that cannot be read keeps no other out.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from shared.runtime.models import faults_in
from shared.runtime.problems import ValidationFailed

M = TypeVar("M", bound=BaseModel)

CSV, NDJSON = "text/csv", "application/x-ndjson"
ROWS_AT_MOST = 5_000


class Row(NamedTuple):
    """`number` counts from 1, without the header; `cells` are those of a CSV row that are not empty."""

    number: int
    cells: dict[str, str]
    fault: str | None


class JsonLine(NamedTuple):
    """`said` is None where the line is no JSON."""

    number: int
    said: Any
    fault: str | None


def refused(detail: str) -> ValidationFailed:
    """The file is none of this kind at all."""
    return ValidationFailed(errors=[{"pointer": "", "detail": detail}])


def decoded(body: bytes) -> str:
    """Raises ValidationFailed for what is not UTF-8; a byte order mark is left out."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(f"Not UTF-8 at byte {error.start}.") from None


def check_rows(last: int) -> None:
    """Raises ValidationFailed for a file with a row of a number above ROWS_AT_MOST."""
    if last > ROWS_AT_MOST:
        raise refused(f"More than {ROWS_AT_MOST} rows: split the file.")


def rows_of_ndjson(said: str) -> Iterator[JsonLine]:
    """The lines that are not empty."""
    for number, line in enumerate(said.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield JsonLine(number, orjson.loads(line), None)
        except orjson.JSONDecodeError as error:
            yield JsonLine(number, None, f"Not JSON: {error.msg}.")


def rows_of_csv(said: str, known: Callable[[str], bool], needed: Sequence[str]) -> tuple[list[str], Iterator[Row]]:
    """The header and the rows that are not empty. Raises ValidationFailed for a header that is not as it must be."""
    lines = _Lines(said)
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise refused(f"The header cannot be read: {error}.") from None
    if unknown := sorted({name for name in header if not known(name)}):
        raise refused(f"Unknown columns: {', '.join(unknown)[:200]}.")
    if len(set(header)) < len(header):
        raise refused("A column stands twice.")
    if missing := [name for name in needed if name not in header]:
        raise refused(f"Columns are missing: {', '.join(missing)}.")
    return header, _numbered(reader, lines, header)


def validated(model: type[M], fields: object) -> tuple[M | None, list[str]]:
    """What the fields say, or all that is wrong with them."""
    try:
        made = model.model_validate(fields)
    except ValidationError as error:
        return None, faults_told(error)
    if "\x00" in made.model_dump_json().replace("\\u0000", "\x00"):
        return None, ["The character U+0000 is not taken."]
    return made, []


def faults_told(error: ValidationError) -> list[str]:
    return [f"{'.'.join(str(part) for part in fault['loc']) or 'row'}: {fault['msg']}" for fault in faults_in(error)]


FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula, for files that nobody reads back into the shop."""
    return f"'{cell}" if cell.startswith(FORMULAS) else cell


def whole_number(cell: str) -> int | str:
    """The number in a cell; what is none is left for a model to refuse."""
    digits = cell.removeprefix("-")
    return int(cell) if digits.isascii() and digits.isdigit() and len(digits) < 16 else cell


class _Lines:
    """The lines of a file, and those taken for the row that is being read."""

    def __init__(self, said: str) -> None:
        self._all = io.StringIO(said, newline="")
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.taken.append(next(self._all))
        return self.taken[-1]


def _numbered(reader: Any, lines: _Lines, header: Sequence[str]) -> Iterator[Row]:
    number = 0
    while True:
        number += 1
        lines.taken.clear()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, _legible(lines.taken, header), f"Not CSV: {error}.")
            continue
        if not row:
            number -= 1
            continue
        fault = None if len(row) == len(header) else f"{len(row)} cells where the header has {len(header)}."
        yield Row(number, _cells(header, row), fault)


def _legible(lines: Iterable[str], header: Sequence[str]) -> dict[str, str]:
    """What a row says that is no CSV, read less strictly: to say which one it was."""
    try:
        return _cells(header, next(csv.reader(lines), []))
    except csv.Error:
        return {}


def _cells(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    return {name: cell for name, cell in zip(header, row, strict=False) if cell}
