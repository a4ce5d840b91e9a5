"""Lists of what is on sale: every filter with every other, every sort both ways, pages without gap or overlap."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from itertools import combinations
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from functions.catalog.list_products import list_products
from functions.catalog.track_stock import track_stock
from shared.inventory.events import StockDepleted, StockLow, StockReplenished
from tests.conftest import Ask, Books
from tests.functions.catalog.conftest import Catalogue, refusal, said, walked
from tests.functions.catalog.things import Thing, expected, put_on_sale

FILTERS = [
    "category=kitchen",
    "category=mugs",
    "price_min=250",
    "price_max=250",
    "currency=GBP",
    "availability=in_stock",
    "availability=low&availability=backorder",
    "attribute=colour:red",
    "attribute=colour:red&attribute=colour:blue",
    "attribute=size:S",
    "attribute=size:M&attribute=size:L",
]


@pytest.fixture
async def things(catalogue: Catalogue, db: Books) -> list[Thing]:
    return await put_on_sale(catalogue, db)


async def test_every_filter_with_every_other(catalogue: Catalogue, things: list[Thing]) -> None:
    chosen = [(), *((one,) for one in FILTERS), *combinations(FILTERS, 2), *combinations(FILTERS[2:], 3)]
    for filters in chosen:
        query = "&".join(filters)
        if query.count("category=") > 1 or query.count("currency=") > 1:
            continue
        wanted = expected(things, query)
        found = sorted(await catalogue.listed(query))
        assert found == wanted, query


SORTS: dict[str, Callable[[Any], Any]] = {
    "newest": lambda item: item["published_at"],
    "price": lambda item: item["price_minor"],
    "title": lambda item: item["title"].lower().replace("é", "e"),
    "best_selling": lambda item: item["sold"],
}


@pytest.mark.parametrize("minus", ["", "-"])
@pytest.mark.parametrize("sort", SORTS)
async def test_pages_of_every_sort_have_no_gap_and_no_overlap(
    catalogue: Catalogue, things: list[Thing], sort: str, minus: str
) -> None:
    sold = {thing.slug: thing.sold for thing in things}
    falls = (sort in ("newest", "best_selling")) != (minus == "-")
    for page, filter in ((catalogue.page, ""), (catalogue.page, "currency=GBP"), (catalogue.search, "")):
        items = await walked(page, f"limit=3&sort={minus}{sort}&{filter}")
        keys = [(SORTS[sort](item | {"sold": sold[item["slug"]]}), item["id"]) for item in items]

        assert keys == sorted(keys, reverse=falls)
        assert sorted(item["slug"] for item in items) == expected(things, filter)


async def test_what_comes_meanwhile_neither_repeats_nor_hides_an_item(catalogue: Catalogue) -> None:
    for number in range(6):
        await catalogue.create(f"m{number}", slug=f"m{number}", title=f"M{number}")
    first = await catalogue.page("limit=3&sort=title")
    await catalogue.create("m00", slug="m00", title="M0")
    await catalogue.update("m1", status="archived")
    await catalogue.create("m45", slug="m45", title="M4 and a half")
    rest = await walked(catalogue.page, f"limit=2&sort=title&cursor={first['next_cursor']}")

    assert [item["slug"] for item in rest] == ["m3", "m4", "m45", "m5"]


async def test_an_item_is_the_product_as_it_is_shown_alone(catalogue: Catalogue) -> None:
    await catalogue.category("Mugs")
    await catalogue.create("mug", category="mugs", attributes={"colour": "red"}, description="Blue")
    shown = said(await catalogue.show("mug"))
    (item,) = (await catalogue.page())["items"]

    assert item == {name: value for name, value in shown.items() if name != "breadcrumbs"}


async def test_only_the_members_that_are_wanted_are_given(catalogue: Catalogue) -> None:
    made = await catalogue.create("mug")
    for query in ("fields=title,id", "fields=title&fields=id"):
        (item,) = (await catalogue.page(query))["items"]
        assert item == {"title": "A mug", "id": made["id"]}
        assert said(await catalogue.show("mug", query)) == item
        (found,) = (await catalogue.search(f"q=mug&{query}"))["items"]
        assert found == item
    assert said(await catalogue.show("mug", "fields=breadcrumbs,stock")).keys() == {"breadcrumbs", "stock"}
    (found,) = (await catalogue.search("q=mug&fields=snippet"))["items"]
    assert found.keys() == {"snippet"}


async def test_a_list_is_told_by_its_etag(catalogue: Catalogue, ask: Ask) -> None:
    await catalogue.create("mug")
    first = await ask(list_products, "/v1/products")
    fresh = await ask(list_products, "/v1/products", if_none_match=first.headers["etag"])
    assert (fresh.status, fresh.body) == (304, b"")
    await catalogue.update("mug", title="Cup")
    assert (await ask(list_products, "/v1/products", if_none_match=first.headers["etag"])).status == 200


async def test_a_products_etag_is_its_version_and_its_stock(catalogue: Catalogue, deliver: Any, db: Books) -> None:
    await catalogue.create("mug", "cup", slug="mugs")
    etag = (await catalogue.show("mugs")).headers["etag"]
    assert (await catalogue.show("mugs", if_none_match=etag)).status == 304
    assert (await catalogue.show("mugs", if_none_match=f"W/{etag}")).status == 304

    level = {"available": 3, "low_at": 5}
    await deliver(track_stock, StockReplenished(sku="cup", status="in_stock", was="out_of_stock", **level))
    stocked = await catalogue.show("mugs", if_none_match=etag)
    assert (stocked.status, stocked.headers["etag"]) == (200, '"1.1"')
    assert (said(stocked)["availability"], said(stocked)["stock"]["cup"]["status"]) == ("in_stock", "in_stock")
    assert said(stocked)["stock"]["mug"] == {"status": "out_of_stock", "as_of": None}
    assert await catalogue.listed("availability=in_stock") == ["mugs"]
    assert (await catalogue.try_update("mugs", stocked.headers["etag"], title="Cups")).status == 200

    await deliver(track_stock, StockDepleted(sku="cup", status="out_of_stock", was="low", **level))
    assert await catalogue.listed("availability=in_stock") == ["mugs"], "what is older than what is known"
    await db.run("update catalog.stock set sequence = 0, status_sequence = 0 where sku = 'cup'")
    await deliver(track_stock, StockLow(sku="cup", status="low", was="in_stock", **level))
    assert await catalogue.listed("availability=low") == ["mugs"]


SENSELESS = [
    "limit=0", "limit=101", "limit=x", "price_min=-1", "price_max=1e3", "currency=pounds", "availability=maybe",
    "attribute=colour", "attribute=:red", "attribute=colour:", "fields=", "fields=title,secret", "sort=random",
    "sort=relevance", "sort=--price", "price_min=99999999999999999999", "category=", "nonsense=1",
    "currency=GBP&currency=EUR", "category=a&category=b", f"attribute=a:{'b' * 400}",
    "&".join(f"attribute=a:{number}" for number in range(21)),
]  # fmt: skip


async def test_a_query_that_makes_no_sense_is_refused(ask: Ask) -> None:
    for query in SENSELESS:
        answer = await ask(list_products, f"/v1/products?{query}")
        assert refusal(answer) == (422, "validation-failed"), query


async def test_a_category_that_is_none_is_said_so(catalogue: Catalogue, ask: Ask) -> None:
    answer = await ask(list_products, "/v1/products?category=nowhere")
    assert (refusal(answer), said(answer)["category"]) == ((404, "unknown-category"), "nowhere")
    mugs = await catalogue.category("Mugs")
    await catalogue.create("mug", category="mugs", slug="mug")
    assert await catalogue.listed(f"category={mugs['id']}") == ["mug"]


def cursor(*key: Any) -> str:
    return urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


ID = "00000000-0000-0000-0000-000000000001"
FORGED = [
    "x", "%22", "é", "A" * 2000, cursor(), cursor(1), cursor(1, ID, 2), cursor("x", "x"), cursor(None, ID),
    cursor({"a": 1}, ID), cursor(2**63, ID), cursor(1e300, ID), cursor("a\0b", ID), cursor([], ID), cursor(True, "x"),
    urlsafe_b64encode(b"[1e999,1]").decode(), urlsafe_b64encode(b'["\\ud800","x"]').decode(),
    urlsafe_b64encode(b"\xff\xfe").decode(),
]  # fmt: skip


@pytest.mark.parametrize("sort", ["newest", "-price", "title", "best_selling"])
async def test_a_cursor_that_was_made_up_is_refused_or_harmless(catalogue: Catalogue, ask: Ask, sort: str) -> None:
    await catalogue.create("mug")
    for forged in FORGED:
        answer = await ask(list_products, f"/v1/products?sort={sort}&cursor={forged}")
        assert answer.status in ((200, 422) if sort == "title" else (422,)), forged
    for plausible in (cursor("1970-01-01T00:00:00Z", ID), cursor(2**62, ID), cursor("z", ID), cursor(-1, ID)):
        answer = await ask(list_products, f"/v1/products?sort={sort}&cursor={plausible}")
        assert answer.status in (200, 422), plausible


async def test_attributes_of_any_characters_are_found(catalogue: Catalogue) -> None:
    values = [
        "it's",
        'a "quote"',
        "back\\slash",
        "a & b | !c",
        "=x:y",
        "a:b",
        "  spaced ",
        "猫 😀",
        "('':*)",
        "%_",
        "ÄÖ",
    ]
    for number, value in enumerate(values):
        await catalogue.create(f"m{number}", slug=f"m{number}", attributes={"Odd name.x-1": value})
    for number, value in enumerate(values):
        wanted = f"attribute={quote(f'Odd name.x-1:{value}')}"
        assert await catalogue.listed(wanted) == [f"m{number}"], value
    both = [f"attribute={quote(f'Odd name.x-1:{value}')}" for value in values[:4]]
    assert sorted(await catalogue.listed("&".join(both))) == ["m0", "m1", "m2", "m3"]
    assert await catalogue.listed("attribute=Odd+name.x-1:IT%27S") == []
