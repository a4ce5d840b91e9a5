"""What is exported is what an import takes: an empty shop that is given the file gives the same file."""

import csv
import io
import random
from typing import Any

import pytest

from functions.catalog.export_products import AT_ONCE, export_products
from tests.conftest import Ask, Books
from tests.functions.catalog.conftest import CSV, NDJSON, STAFF, Catalogue

STRANGE = [
    'with "quotes"',
    "comma, semicolon;",
    "two\nlines",
    "re\r\nturn\r",
    "  spaces  ",
    "=1+1",
    "Ünïcode 猫 😀",
    "'",
    "\\n",
    "\t",
]


@pytest.fixture
async def shop(catalogue: Catalogue) -> Catalogue:
    """Products with all that a product may have."""
    await catalogue.category("Kitchen")
    await catalogue.category("Mugs", "kitchen")
    await catalogue.create(
        "M-S", "M-M", "M-L",
        slug="mug", title="Mug", description="One\n\ntwo", category="mugs", tax_class="reduced",
        attributes={"material": "tin", "made in": "Leeds"},
        media=[{"url": f"https://example.com/{n}.jpg?a=1,2&b=\"", "alt": text} for n, text in enumerate(STRANGE)],
    )  # fmt: skip
    await catalogue.create("D", slug="draft", status="draft", publish_at="2030-01-01T00:00:00.123456+01:00")
    await catalogue.create("E", slug="plain-draft", status="draft", category="kitchen")
    await catalogue.create("A", slug="archived", status="archived")
    euro = [
        {
            "sku": f"E {n}",
            "options": {"Colour": colour, "size/EU".replace("/", " "): "42"},
            "price_minor": n,
            "currency": "EUR",
        }
        for n, colour in enumerate(("red", "blue, dark"))
    ]
    await catalogue.create(slug="euro", variants=euro)
    for number, text in enumerate(STRANGE):
        fields = {"attributes": {"note": text}} if text.strip() else {}
        await catalogue.create(f"X{number}", slug=f"x-{number}", title=f"{text}.", description=text, **fields)
    return catalogue


async def emptied(shop: Catalogue) -> None:
    await shop.db.run("truncate catalog.products, catalog.listings, catalog.search_entries cascade")
    await shop.db.run("truncate platform.outbox, platform.streams")


@pytest.mark.parametrize(("format", "kind"), [("csv", CSV), ("ndjson", NDJSON)])
async def test_a_file_comes_back_as_it_went(shop: Catalogue, format: str, kind: str) -> None:
    file = await shop.export(f"format={format}")
    in_place = await shop.bring(file, kind)
    assert (in_place["unchanged"], in_place["failed"]) == (15, 0), in_place
    listed = sorted(await shop.listed())

    await emptied(shop)
    assert await shop.listed() == []
    report = await shop.bring(file, kind)
    assert (report["created"], report["failed"]) == (15, 0), report
    assert await shop.export(f"format={format}") == file
    assert sorted(await shop.listed()) == listed
    assert (await shop.inspect("draft"))["publish_at"] == "2029-12-31T23:00:00.123456Z"


async def test_the_other_format_says_the_same(shop: Catalogue) -> None:
    table, lines = await shop.export("format=csv"), await shop.export("format=ndjson")
    await emptied(shop)
    await shop.bring(table)
    assert await shop.export("format=ndjson") == lines


async def test_a_table_has_a_variant_per_row_and_a_column_per_attribute(shop: Catalogue) -> None:
    header, *rows = csv.reader(io.StringIO((await shop.export()).decode(), newline=""))
    assert header[:11] == [
        "slug", "title", "description", "category", "tax_class", "status", "publish_at", "media", "sku", "price_minor",
        "currency",
    ]  # fmt: skip
    assert sorted(header[11:]) == [
        "attribute:made in", "attribute:material", "attribute:note", "option:Colour", "option:size", "option:size EU",
    ]  # fmt: skip
    assert [row[header.index("sku")] for row in rows if row[0] == "mug"] == ["M-S", "M-M", "M-L"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


async def test_only_the_statuses_that_are_asked_for(shop: Catalogue) -> None:
    for query, slugs in (
        ("status=draft", ["draft", "plain-draft"]),
        ("status=draft&status=archived", ["archived", "draft", "plain-draft"]),
    ):
        exported = (await shop.export(f"format=ndjson&{query}")).splitlines()
        assert [line.count(b'"slug":"' + slug.encode() + b'"') for line, slug in zip(exported, slugs, strict=True)] == [
            1 for _ in slugs
        ]


async def test_many_products_come_in_pieces(catalogue: Catalogue) -> None:
    slugs = [f"p-{number:03}" for number in range(2 * AT_ONCE + 3)]
    chance = random.Random(2)
    for count in (AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, len(slugs)):
        rows = [f"{slug},P,{slug},1\n" for slug in slugs[:count]]
        chance.shuffle(rows)
        await catalogue.bring(f"slug,title,sku,price_minor\n{''.join(rows)}")
        for format in ("csv", "ndjson"):
            exported = (await catalogue.export(f"format={format}")).decode().splitlines()
            assert len(exported) == count + (format == "csv")
        found: list[Any] = [line.split(",")[0] for line in (await catalogue.export()).decode().splitlines()[1:]]
        assert found == slugs[:count]


async def test_an_empty_shop_gives_an_empty_file(catalogue: Catalogue) -> None:
    assert await catalogue.export("format=ndjson") == b""
    table = await catalogue.export()
    assert table.count(b"\n") == 1
    assert (await catalogue.bring(table))["rows"] == []


async def test_only_keepers_are_given_a_file(ask: Ask, db: Books) -> None:
    path = "/v1/admin/product-export"
    assert (await ask(export_products, path)).status == 401
    assert (await ask(export_products, path, roles=("customer",))).status == 403
    for query in ("format=xml", "status=sold", "format=csv&format=csv"):
        assert (await ask(export_products, f"{path}?{query}", roles=STAFF)).status == 422
    answer = await ask(export_products, path, roles=STAFF)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="products.csv"'
