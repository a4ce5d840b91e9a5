"""Products as rows of a file, CSV or NDJSON: how they are read and how they are written, the one as the other.

NDJSON has a product per line, as it is created by the API. CSV (RFC 4180) has a variant per row: rows of one `slug`
that follow each other are one product, whose own cells may be empty after the first row. An empty cell says nothing;
where there are columns of attributes, they are all the attributes that a product has.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from shared.catalog.content import Content, Product, slug_of
from shared.runtime.models import faults_in
from shared.runtime.problems import ValidationFailed

CSV, NDJSON = "text/csv", "application/x-ndjson"
ROWS_AT_MOST = 5_000

OWN = ("slug", "title", "description", "category", "tax_class", "status", "publish_at", "media")
"""The columns that speak of the product, the others speak of a variant; attributes and options have columns of their
own, `attribute:NAME` and `option:NAME`."""
COLUMNS = (*OWN, "sku", "price_minor", "currency")


class Entry(NamedTuple):
    """One product of a file: the rows it stands on, counted from 1 without the header, and what is wrong with it."""

    rows: range
    slug: str
    content: Content | None
    errors: list[str]


def entries_of(media_type: str, body: bytes) -> list[Entry]:
    """Raises ValidationFailed for what is no such file at all, or has more than ROWS_AT_MOST rows."""
    try:
        said = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"Not UTF-8 at byte {error.start}.") from None
    entries = list(_from_csv(said) if media_type == CSV else _from_ndjson(said))
    if entries and entries[-1].rows.stop > ROWS_AT_MOST + 1:
        raise _refused(f"More than {ROWS_AT_MOST} rows: split the file.")
    return entries


def _refused(detail: str) -> ValidationFailed:
    return ValidationFailed(errors=[{"pointer": "", "detail": detail}])


def _entry(rows: range, fields: object, errors: Iterable[str] = ()) -> Entry:
    found = list(errors)
    slug = str(fields.get("slug") or "") if isinstance(fields, dict) else ""
    content = None
    if not found:
        try:
            content = Content.model_validate(fields)
            slug = content.slug or slug_of(content.title, content.variants[0].sku)
        except ValidationError as error:
            found = [
                f"{'.'.join(str(part) for part in fault['loc']) or 'row'}: {fault['msg']}" for fault in faults_in(error)
            ]
    if content is not None and "\x00" in content.model_dump_json().replace("\\u0000", "\x00"):
        content, found = None, ["The character U+0000 is not taken."]
    return Entry(rows, slug, content, found)


def _from_ndjson(said: str) -> Iterator[Entry]:
    for number, line in enumerate(said.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields, errors = orjson.loads(line), []
        except orjson.JSONDecodeError as error:
            fields, errors = None, [f"Not JSON: {error.msg}."]
        yield _entry(range(number, number + 1), fields, errors)


def _from_csv(said: str) -> Iterator[Entry]:
    lines = _Lines(said)
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise _refused(f"The header cannot be read: {error}.") from None
    _check_header(header)
    for _, group in groupby(_numbered(reader, lines, header), key=lambda row: row[1].get("slug") or row[0]):
        rows = list(group)
        errors = [f"row {number}: {error}" for number, _, error in rows if error]
        numbers = range(rows[0][0], rows[-1][0] + 1)
        own, faults = _product_of(rows)
        if any(name.startswith("attribute:") for name in header):
            own["attributes"] = _prefixed(rows[0][1], "attribute")
        yield _entry(numbers, own, errors + faults)


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


def _numbered(reader: Any, lines: _Lines, header: Sequence[str]) -> Iterator[tuple[int, dict[str, str], str | None]]:
    """Each row with its number, its cells that are not empty, and what is wrong with it."""
    number = 0
    while True:
        number += 1
        lines.taken.clear()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, _slug_in(lines.taken, header), f"Not CSV: {error}."
            continue
        if not row:
            number -= 1
            continue
        fault = None if len(row) == len(header) else f"{len(row)} cells where the header has {len(header)}."
        yield number, {name: cell for name, cell in zip(header, row, strict=False) if cell}, fault


def _slug_in(lines: Sequence[str], header: Sequence[str]) -> dict[str, str]:
    """To which product a row belongs that cannot be read, so that this one is not taken for whole without it."""
    try:
        cells = next(csv.reader(lines), [])
    except csv.Error:
        cells = []
    return {name: cell for name, cell in zip(header, cells, strict=False) if name == "slug" and cell}


def _check_header(header: Sequence[str]) -> None:
    known = [name for name in header if name in COLUMNS or name.startswith(("attribute:", "option:"))]
    if unknown := sorted(set(header) - set(known)):
        raise _refused(f"Unknown columns: {', '.join(unknown)[:200]}.")
    if len(set(header)) < len(header):
        raise _refused("A column stands twice.")
    if missing := [name for name in ("slug", "title", "sku", "price_minor") if name not in header]:
        raise _refused(f"Columns are missing: {', '.join(missing)}.")


def _product_of(rows: Sequence[tuple[int, dict[str, str], str | None]]) -> tuple[dict[str, Any], list[str]]:
    _, first, _ = rows[0]
    own: dict[str, Any] = {name: first[name] for name in OWN if name in first}
    errors = [
        f"{name}: two rows of one product differ"
        for _, later, _ in rows[1:]
        for name, cell in later.items()
        if (name in OWN or name.startswith("attribute:")) and cell != first.get(name)
    ]
    if "media" in own:
        try:
            own["media"] = orjson.loads(own["media"])
        except orjson.JSONDecodeError:
            errors.append("media: not JSON")
    own["variants"] = [_variant_of(cells) for _, cells, _ in rows]
    return own, errors


def _variant_of(row: dict[str, str]) -> dict[str, Any]:
    price = row.get("price_minor", "")
    variant: dict[str, Any] = {"sku": row.get("sku", ""), "options": _prefixed(row, "option")}
    variant["price_minor"] = int(price) if price.isascii() and price.isdigit() and len(price) < 16 else price
    return variant | ({"currency": row["currency"]} if "currency" in row else {})


def _prefixed(row: dict[str, str], prefix: str) -> dict[str, str]:
    return {name.partition(":")[2]: cell for name, cell in row.items() if name.startswith(f"{prefix}:")}


def ndjson_of(product: Product, category: str | None) -> str:
    fields = product.model_dump(mode="json", include=set(Content.model_fields)) | {"category": category}
    return orjson.dumps(fields).decode() + "\n"


def csv_header(attributes: Sequence[str], options: Sequence[str]) -> list[str]:
    return [*COLUMNS, *(f"attribute:{name}" for name in attributes), *(f"option:{name}" for name in options)]


def csv_rows(product: Product, category: str | None, header: Sequence[str]) -> Iterator[list[str]]:
    own = {
        "slug": product.slug,
        "title": product.title,
        "description": product.description,
        "category": category or "",
        "tax_class": product.tax_class,
        "status": product.status,
        "publish_at": product.publish_at.isoformat() if product.publish_at else "",
        "media": orjson.dumps([media.model_dump() for media in product.media]).decode() if product.media else "",
        **{f"attribute:{name}": value for name, value in product.attributes.items()},
    }
    for variant in product.variants:
        cells = {
            **own,
            "sku": variant.sku,
            "price_minor": str(variant.price_minor),
            "currency": variant.currency,
            **{f"option:{name}": value for name, value in variant.options.items()},
        }
        yield [cells.get(name, "") for name in header]
