"""The catalogue counts what came of searches, imports and rebuilds."""

import json
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from functions.catalog.create_product import create_product
from functions.catalog.import_products import import_products
from functions.catalog.rebuild_catalog import rebuild_catalog
from functions.catalog.search_products import search_products
from tests.conftest import Ask, Books

AS_ADMIN, AS_OPERATOR = ("admin",), ("operator",)
Counts = Callable[[], dict[str, float]]


def since(name: str, label: str, *values: str) -> Counts:
    """What is counted from now on, without what is not."""

    def now() -> dict[str, float]:
        found = {value: REGISTRY.get_sample_value(name, {label: value}) for value in values}
        assert None not in found.values(), "each is there as 0 before it is first counted"
        return {value: number or 0 for value, number in found.items()}

    before = now()
    return lambda: {value: number - before[value] for value, number in now().items() if number != before[value]}


@pytest.fixture
async def mugs(ask: Ask) -> None:
    for colour in ("blue", "green"):
        body = {"title": f"A {colour} mug", "variants": [{"sku": f"MUG-{colour}", "price_minor": 100}]}
        assert (await ask(create_product, "/v1/products", body, roles=AS_ADMIN)).status == 201


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ("q=green", "found"),
        ("", "found"),
        ("q=grean", "corrected"),
        ("q=grean&price_min=200", "empty"),
        ("q=zzzz", "empty"),
    ],
)
@pytest.mark.usefixtures("mugs")
async def test_searches_are_counted_by_what_came_of_them(query: str, outcome: str, ask: Ask) -> None:
    counted = since("shop_catalog_searches_total", "outcome", "found", "corrected", "empty")

    assert (await ask(search_products, f"/v1/search?{query}")).status == 200
    assert counted() == {outcome: 1}


@pytest.mark.usefixtures("mugs")
async def test_further_pages_are_the_same_search(ask: Ask) -> None:
    first = json.loads((await ask(search_products, "/v1/search?q=mug&limit=1")).body)
    counted = since("shop_catalog_searches_total", "outcome", "found", "corrected", "empty")

    answer = await ask(search_products, f"/v1/search?q=mug&limit=1&cursor={first['next_cursor']}")
    assert len(json.loads(answer.body)["items"]) == 1
    assert counted() == {}


async def test_rows_are_counted_by_what_became_of_them(ask: Ask) -> None:
    rows = [
        {"slug": "shirt", "title": "Shirt", "variants": [{"sku": "SHIRT", "price_minor": 100}]},
        {"slug": "no-price", "title": "No price", "variants": [{"sku": "NONE"}]},
    ]
    file = "\n".join(map(json.dumps, rows)).encode()
    statuses = ("created", "updated", "unchanged", "failed")

    for expected in ({"created": 1, "failed": 1}, {"unchanged": 1, "failed": 1}):
        counted = since("shop_catalog_import_rows_total", "status", *statuses)
        answer = await ask(
            import_products,
            "/v1/admin/product-import",
            file,
            roles=AS_ADMIN,
            content_type="application/x-ndjson",
        )
        assert answer.status == 200, answer.body
        assert counted() == expected


@pytest.mark.usefixtures("mugs")
async def test_what_the_rebuild_finds_is_counted_by_part(ask: Ask, db: Books) -> None:
    parts = ("stock", "sales", "listings", "words")
    await db.run("delete from catalog.listings where document like '%%green%%'")

    for mend, expected in ((False, 1), (True, 1), (False, 0)):
        checked = since("shop_catalog_rebuild_checked_total", "part", *parts)
        differ = since("shop_catalog_rebuild_differences_total", "part", *parts)
        body = {"part": "listings", "mend": mend}
        answer = await ask(rebuild_catalog, "/v1/admin/catalog-rebuild", body, roles=AS_OPERATOR)
        assert answer.status == 200, answer.body
        assert checked() == {"listings": 2}
        assert differ() == ({"listings": expected} if expected else {})
