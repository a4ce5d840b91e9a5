"""Products as rows of a file, CSV or NDJSON: how they are read and how they are written, the one as the other.

NDJSON has a product per line, as it is created by the API. CSV (RFC 4180) has a variant per row: rows of one `slug`
that follow each other are one product, whose own cells may be empty after the first row. An empty cell says nothing;
where there are columns of attributes, they are all the attributes that a product has.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from shared.catalog.content import Content, Product, slug_of
from shared.sheets import CSV, Row, check_rows, decoded, rows_of_csv, rows_of_ndjson, validated, whole_number

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
    said = decoded(body)
    entries = list(_from_csv(said) if media_type == CSV else _from_ndjson(said))
    check_rows(entries[-1].rows.stop - 1 if entries else 0)
    return entries


def _entry(rows: range, fields: object, errors: Iterable[str] = ()) -> Entry:
    found = list(errors)
    slug = str(fields.get("slug") or "") if isinstance(fields, dict) else ""
    content = None
    if not found:
        content, found = validated(Content, fields)
    if content is not None:
        slug = content.slug or slug_of(content.title, content.variants[0].sku)
    return Entry(rows, slug, content, found)


def _from_ndjson(said: str) -> Iterator[Entry]:
    for number, fields, fault in rows_of_ndjson(said):
        yield _entry(range(number, number + 1), fields, [fault] if fault else [])


def _from_csv(said: str) -> Iterator[Entry]:
    header, numbered = rows_of_csv(said, _is_column, ("slug", "title", "sku", "price_minor"))
    # A row that cannot be read belongs to its product by the slug that it seems to have: without it, the product would
    # be taken for whole.
    for _, group in groupby(numbered, key=lambda row: row.cells.get("slug") or row.number):
        rows = list(group)
        errors = [f"row {row.number}: {row.fault}" for row in rows if row.fault]
        numbers = range(rows[0].number, rows[-1].number + 1)
        own, faults = _product_of(rows)
        if any(name.startswith("attribute:") for name in header):
            own["attributes"] = _prefixed(rows[0].cells, "attribute")
        yield _entry(numbers, own, errors + faults)


def _is_column(name: str) -> bool:
    return name in COLUMNS or name.startswith(("attribute:", "option:"))


def _product_of(rows: Sequence[Row]) -> tuple[dict[str, Any], list[str]]:
    first = rows[0].cells
    own: dict[str, Any] = {name: first[name] for name in OWN if name in first}
    errors = [
        f"{name}: two rows of one product differ"
        for later in rows[1:]
        if not later.fault
        for name, cell in later.cells.items()
        if (name in OWN or name.startswith("attribute:")) and cell != first.get(name)
    ]
    if "media" in own:
        try:
            own["media"] = orjson.loads(own["media"])
        except orjson.JSONDecodeError:
            errors.append("media: not JSON")
    own["variants"] = [_variant_of(row.cells) for row in rows]
    return own, errors


def _variant_of(row: dict[str, str]) -> dict[str, Any]:
    variant: dict[str, Any] = {"sku": row.get("sku", ""), "options": _prefixed(row, "option")}
    variant["price_minor"] = whole_number(row.get("price_minor", ""))
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
