"""A file of products: each is created, changed, left alone or refused on its own merits, and says so by its rows."""

import asyncio
from typing import Any

import orjson

from functions.catalog.import_products import import_products
from tests.conftest import Ask, Books
from tests.functions.catalog.conftest import CSV, NDJSON, STAFF, Catalogue, refusal, said

HEAD = "slug,title,sku,price_minor"


def statuses(report: Any) -> list[tuple[list[int], str, str]]:
    return [(row["rows"], row["slug"], row["status"]) for row in report["rows"]]


def errors(report: Any) -> list[str]:
    return [error for row in report["rows"] for error in row["errors"]]


def lines(*products: dict[str, Any]) -> bytes:
    return b"\n".join(orjson.dumps(product) for product in products)


def mug(slug: str = "mug", sku: str = "M", **fields: Any) -> dict[str, Any]:
    return {"slug": slug, "title": "Mug", "variants": [{"sku": sku, "price_minor": 100}], **fields}


async def test_products_are_created_changed_and_left_alone(catalogue: Catalogue) -> None:
    first = await catalogue.bring(f"{HEAD}\nmug,Mug,M,100\ncup,Cup,C,200\n")
    assert statuses(first) == [([1], "mug", "created"), ([2], "cup", "created")]
    assert (first["created"], first["updated"], first["unchanged"], first["failed"]) == (2, 0, 0, 0)

    second = await catalogue.bring(f"{HEAD}\nmug,Mug,M,100\ncup,Teacup,C,250\npot,Pot,P,300\n")
    assert statuses(second) == [([1], "mug", "unchanged"), ([2], "cup", "updated"), ([3], "pot", "created")]
    cup = await catalogue.inspect("cup")
    assert (cup["title"], cup["version"], cup["variants"][0]["price_minor"]) == ("Teacup", 2, 250)
    news = ["product.created", "product.published"]
    assert sorted(await catalogue.news()) == sorted([*news, *news, "product.updated", *news])
    assert sorted(await catalogue.listed()) == ["cup", "mug", "pot"]
    assert await catalogue.found("q=teacup") == ["cup"]


async def test_rows_of_one_slug_are_one_product(catalogue: Catalogue) -> None:
    await catalogue.category("Mugs")
    report = await catalogue.bring(
        "slug,title,description,category,tax_class,status,publish_at,media,sku,price_minor,currency,"
        "attribute:material,attribute:made in,option:size\r\n"
        'mug,"Mug, ""big""","Two\nlines",mugs,reduced,draft,2030-01-01T00:00:00Z,'
        '"[{""url"":""https://example.com/1.jpg"",""alt"":""A""}]",M-S,100,EUR,tin,Leeds,S\r\n'
        "mug,,,,,,,,M-L,150,EUR,,,L\r\n"
        "cup,Cup,,,,,,,C,5,,,,\r\n"
    )
    assert statuses(report) == [([1, 2], "mug", "created"), ([3], "cup", "created")]
    made = await catalogue.inspect("mug")
    assert (made["title"], made["description"], made["tax_class"]) == ('Mug, "big"', "Two\nlines", "reduced")
    assert (made["status"], made["publish_at"]) == ("draft", "2030-01-01T00:00:00Z")
    assert made["attributes"] == {"material": "tin", "made in": "Leeds"}
    assert made["media"] == [{"url": "https://example.com/1.jpg", "alt": "A"}]
    assert made["variants"] == [
        {"sku": "M-S", "options": {"size": "S"}, "price_minor": 100, "currency": "EUR"},
        {"sku": "M-L", "options": {"size": "L"}, "price_minor": 150, "currency": "EUR"},
    ]
    cup = await catalogue.inspect("cup")
    assert (cup["status"], cup["tax_class"], cup["variants"][0]["currency"]) == ("published", "standard", "GBP")


async def test_what_a_file_leaves_out_stays_as_it_is(catalogue: Catalogue) -> None:
    await catalogue.category("Mugs")
    fields = {"description": "Old", "category": "mugs", "attributes": {"colour": "red"}, "tax_class": "reduced"}
    await catalogue.create("M", title="Mug", slug="mug", **fields)
    before = await catalogue.inspect("mug")

    report = await catalogue.bring(f"{HEAD}\nmug,Cup,M,100\n")
    assert statuses(report) == [([1], "mug", "updated")]
    after = await catalogue.inspect("mug")
    assert after == {**before, "title": "Cup", "version": 2, "updated_at": after["updated_at"]}
    report = await catalogue.bring(lines({"title": "Pot", "variants": [{"sku": "M", "price_minor": 100}]}), NDJSON)
    assert statuses(report) == [([1], "mug", "updated")], "found by its first SKU, and its slug stays"
    assert (await catalogue.inspect("mug"))["attributes"] == {"colour": "red"}

    await catalogue.bring("slug,title,sku,price_minor,attribute:size\nmug,Pot,M,100,L\n")
    assert (await catalogue.inspect("mug"))["attributes"] == {"size": "L"}, "a column of attributes speaks of them all"
    await catalogue.bring(lines(mug(title="Pot", category=None)), NDJSON)
    assert (await catalogue.inspect("mug"))["category_id"] is None


async def test_a_product_is_renamed_by_its_first_sku(catalogue: Catalogue) -> None:
    await catalogue.create("M", "N", slug="old")
    variants = (await catalogue.inspect("old"))["variants"]
    report = await catalogue.bring(lines(mug("new", title="A mug", variants=variants)), NDJSON)
    assert statuses(report) == [([1], "new", "updated")]
    assert (await catalogue.inspect("M"))["slug"] == "new"
    assert (await catalogue.show("old")).status == 404


async def test_what_goes_on_and_off_sale_is_listed_so(catalogue: Catalogue) -> None:
    head = f"{HEAD},status"
    await catalogue.bring(f"{head}\na,A,a,1,draft\nb,B,b,1,published\nc,C,c,1,archived\n")
    assert await catalogue.listed() == ["b"]
    await catalogue.bring(f"{head}\na,A,a,1,published\nb,B,b,1,archived\nc,C2,c,1,archived\n")
    assert await catalogue.listed() == await catalogue.found() == ["a"]
    kinds = [kind.removeprefix("product.") for kind in await catalogue.news()]
    assert sorted(kinds[4:]) == ["archived", "published", "updated"]


BAD_ROWS = [
    ("x,X,s", "3 cells where the header has 4"),
    ("x,X,s,1,extra", "5 cells where the header has 4"),
    ('x,"X"y,s,1', "Not CSV"),
    (f"x,{'X' * 140_000},s,1", "field larger than field limit"),
    ("x,,s,1", "title: Field required"),
    ("x,X,,1", "variants.0.sku"),
    ("x,X,s,", "variants.0.price_minor"),
    ("x,X,s,-1", "variants.0.price_minor"),
    ("x,X,s,1.5", "variants.0.price_minor"),
    ("x,X,s,\u0661", "variants.0.price_minor"),
    ("x,X,s,99999999999999999999", "variants.0.price_minor"),
    ("No Slug,X,s,1", "slug: String should match"),
    ("x,X\0Y,s,1", "U+0000"),
    ("x\0,X,s,1", "slug: String should match"),
]


async def test_a_row_that_fails_does_not_keep_the_others_out(catalogue: Catalogue) -> None:
    await catalogue.create("M", slug="other")
    for number, (row, error) in enumerate(BAD_ROWS):
        report = await catalogue.bring(f"{HEAD}\nmug-{number},Mug,M{number},1\n{row}\ncup-{number},Cup,C{number},1\n")

        assert [(one["rows"], one["status"]) for one in report["rows"]] == [
            ([1], "created"), ([2], "failed"), ([3], "created"),
        ], row  # fmt: skip
        (told,) = errors(report)
        assert error in told
    assert len(await catalogue.listed()) == 1 + 2 * len(BAD_ROWS)


async def test_the_sku_of_another_product_is_refused(catalogue: Catalogue) -> None:
    await catalogue.create("A", "B", slug="other")
    await catalogue.create("M", slug="mug")
    taken = {"variants": [{"sku": sku, "price_minor": 1, "options": {"size": sku}} for sku in ("N", "B")]}
    file = lines(mug("new") | taken, mug("mug", "A"), mug("mug", "M", title="Cup"))
    report = await catalogue.bring(file, NDJSON)

    assert statuses(report) == [([1], "new", "failed"), ([2], "mug", "failed"), ([3], "mug", "updated")]
    assert errors(report) == ["sku: B belongs to another product", "sku: A belongs to another product"]


async def test_every_fault_of_a_product_is_named(catalogue: Catalogue) -> None:
    head = "slug,title,category,status,publish_at,media,tax_class,sku,price_minor,currency,attribute:x/y"
    report = await catalogue.bring(f"{head}\nx, ,nowhere,sold,soon,[1],NO TAX,s,1,pounds,1\n")
    assert {error.partition(":")[0] for error in errors(report)} == {
        "title", "status", "publish_at", "media.0", "tax_class", "variants.0.currency", "attributes.x/y.[key]",
    }  # fmt: skip
    nowhere = await catalogue.bring(f"{HEAD},category\nx,X,s,1,nowhere\n")
    assert errors(nowhere) == ["category: there is no such category"]
    broken = await catalogue.bring(f'{HEAD},media\nx,X,s,1,"[{{"\n')
    assert errors(broken) == ["media: not JSON"]


async def test_a_product_fails_whole_with_any_of_its_rows(catalogue: Catalogue) -> None:
    head = f"{HEAD},option:size"
    await catalogue.bring(f"{head}\nmug,Mug,S,1,S\nmug,,M,2,M\nmug,,L,3,L\n")
    before = await catalogue.inspect("mug")
    for broken in (
        'mug,"M"ug,M,2,M',
        "mug,,M,2",
        "mug,,M,two,M",
        "mug,Cup,M,2,M",
        "mug,,S,2,M",
        "mug,,M,2,S",
        "mug,,M,2,",
    ):
        report = await catalogue.bring(f"{head}\nmug,Mug,S,9,S\n{broken}\nmug,,L,9,L\ncup,Cup,C,1,\n")
        assert [row["status"] for row in report["rows"]] == ["failed", "created" if report["created"] else "unchanged"]
        assert report["rows"][0]["rows"] == [1, 2, 3]
        assert await catalogue.inspect("mug") == before, broken


async def test_rows_of_one_product_stand_together(catalogue: Catalogue) -> None:
    report = await catalogue.bring(f"{HEAD}\nmug,Mug,S,1\ncup,Cup,C,1\nmug,Mug,S,2\n")
    assert statuses(report) == [([1], "mug", "created"), ([2], "cup", "created"), ([3], "mug", "failed")]


BAD_FILES = [
    (b"", "Columns are missing"),
    (b"slug,title,sku\n", "Columns are missing: price_minor."),
    (f"{HEAD},colour,attribute\n".encode(), "Unknown columns: attribute, colour."),
    (f"{HEAD},sku\n".encode(), "A column stands twice."),
    (f'"{HEAD}'.encode(), "The header cannot be read"),
    (f"{HEAD}\nmug,M\xfcg,M,1".encode("latin-1"), "Not UTF-8 at byte 32."),
    ((HEAD + "\n" + "".join(f"s{n},T,s{n},1\n" for n in range(5_001))).encode(), "More than 5000 rows"),
]


async def test_what_is_no_such_file_is_refused_whole(catalogue: Catalogue) -> None:
    for file, detail in BAD_FILES:
        answer = await catalogue.try_bring(file)
        assert refusal(answer) == (422, "validation-failed")
        assert said(answer)["errors"][0]["detail"].startswith(detail)
    assert await catalogue.news() == []


async def test_files_of_other_kinds_are_not_taken(catalogue: Catalogue, ask: Ask) -> None:
    assert (await catalogue.try_bring("{}", "application/json")).status == 415
    assert (await catalogue.try_bring(b"\xff\xfe", NDJSON)).status == 422
    path = "/v1/admin/product-import"
    assert (await ask(import_products, path, HEAD.encode(), content_type=CSV)).status == 401
    assert (await ask(import_products, path, HEAD.encode(), content_type=CSV, roles=("customer",))).status == 403
    assert (await ask(import_products, f"{path}?dry=1", HEAD.encode(), content_type=CSV, roles=STAFF)).status == 422


async def test_a_byte_order_mark_and_empty_lines_are_read_over(catalogue: Catalogue) -> None:
    report = await catalogue.bring(f"\ufeff{HEAD}\r\n\r\nmug,Mug,M,1\r\n\r\ncup,Cup,C,1".encode())
    assert statuses(report) == [([1], "mug", "created"), ([2], "cup", "created")]
    assert (await catalogue.bring(f"{HEAD}\n"))["rows"] == []


BAD_LINES: list[tuple[bytes, str]] = [
    (b'{"title": "X"', "Not JSON"),
    (b"[]", "row: "),
    (b"null", "row: "),
    (b'"x"', "row: "),
    (b'{"title": "\\ud800"}', "Not JSON"),
    (lines(mug("x", "s", owner="me")), "owner: Extra inputs"),
    (lines(mug("x", "s", title=1)), "title: Input should be a valid string"),
    (lines(mug("x", "s", variants=[])), "variants: "),
    (lines(mug("x", "s", variants=[{"sku": "s", "price_minor": "1"}])), "variants.0.price_minor"),
    (lines(mug("x", "s", title="a\0b")), "U+0000"),
    (lines(mug("x\0", "s")), "slug: "),
    (lines(mug("x", "s", attributes={"a": "\0"})), "U+0000"),
    (lines(mug("x", "s", category="\0")), "U+0000"),
    (lines(mug("x", "s", status="published", publish_at="2030-01-01T00:00:00Z")), "publish_at: only a draft waits"),
    (lines(mug("x", "s") | {"slug": {"a": "b"}}), "slug: "),
]


async def test_a_line_that_fails_does_not_keep_the_others_out(catalogue: Catalogue) -> None:
    for number, (line, error) in enumerate(BAD_LINES):
        around = [lines(mug(f"{name}-{number}", f"{name}{number}")) for name in ("mug", "cup")]
        report = await catalogue.bring(b"\n".join([around[0], b"", line, around[1], b""]), NDJSON)
        assert [(row["rows"], row["status"]) for row in report["rows"]] == [
            ([1], "created"), ([3], "failed"), ([4], "created"),
        ], line  # fmt: skip
        assert len([told for told in errors(report) if error in told]) == 1, errors(report)


async def test_a_slug_is_made_where_none_is_given(catalogue: Catalogue) -> None:
    report = await catalogue.bring(f"{HEAD}\n,Blue mug,M-1,1\n,Blue mug,M-2,1\n,Blue mug,M-1,1\n")
    assert statuses(report) == [
        ([1], "blue-mug-m-1", "created"), ([2], "blue-mug-m-2", "created"), ([3], "blue-mug-m-1", "failed"),
    ]  # fmt: skip
    again = await catalogue.bring(lines({"title": "Red mug", "variants": [{"sku": "M-1", "price_minor": 1}]}), NDJSON)
    assert statuses(again) == [([1], "blue-mug-m-1", "updated")]


async def test_an_import_is_told_again_under_its_key(catalogue: Catalogue) -> None:
    file = f"{HEAD}\nmug,Mug,M,1\n"
    first = await catalogue.try_bring(file, idempotency_key="k")
    await catalogue.update("mug", title="Cup")
    again = await catalogue.try_bring(file, idempotency_key="k")
    assert (again.status, again.body) == (200, first.body)
    assert (await catalogue.inspect("mug"))["title"] == "Cup"
    other = await catalogue.try_bring(f"{HEAD}\ncup,Cup,C,1\n", idempotency_key="k")
    assert refusal(other) == (422, "idempotency-key-reused")
    assert statuses(said(await catalogue.try_bring(file))) == [([1], "mug", "updated")]


def overlapping(writer: int) -> str:
    """Files that share most of their products, in orders of their own, under prices of their own."""
    slugs = [f"p{(number * (7 if writer % 2 else 3) + writer) % 40:02}" for number in range(40)]
    rows = [f"{slug},P {slug},{slug}-a,{writer},a\n{slug},,{slug}-b,{writer},b" for slug in slugs]
    return f"{HEAD},option:size\n" + "\n".join(rows) + "\n"


async def test_overlapping_files_at_once_do_not_lock_each_other_out(catalogue: Catalogue, db: Books) -> None:
    async def insisting(writer: int) -> list[int]:
        tries: list[int] = []
        while not tries or tries[-1] == 503:
            tries.append((await catalogue.try_bring(overlapping(writer))).status)
        return tries

    tries = await asyncio.gather(*(insisting(writer) for writer in range(1, 7)))
    assert {one[-1] for one in tries} == {200}
    assert max(map(len, tries)) < 7
    prices = await db.all(
        """select distinct array_agg(price_minor) as prices from catalog.variants
        group by product_id having min(price_minor) <> max(price_minor) or count(*) <> 2"""
    )
    assert prices == [], "a product is of one file or of another"
    assert len(await catalogue.listed()) == 40


async def test_a_file_of_5000_rows_is_taken(catalogue: Catalogue, db: Books) -> None:
    rows = "".join(f"p{n // 10},Product {n // 10},s{n},{n},{n % 10}\n" for n in range(5_000))
    report = await catalogue.bring(f"{HEAD},option:n\n{rows}")
    assert (report["created"], report["failed"]) == (500, 0)
    again = await catalogue.bring(f"{HEAD},option:n\n{rows}")
    assert (again["unchanged"], again["failed"]) == (500, 0)
    assert await db.value("select count(*) from catalog.variants") == 5_000
