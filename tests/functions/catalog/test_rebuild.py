"""Whatever was done to the derived rows, the rebuild says so and puts it right, and finds nothing after that."""

import json
from typing import Any

import pytest

from functions.catalog.create_product import create_product
from functions.catalog.list_products import list_products
from functions.catalog.rebuild_catalog import rebuild_catalog
from functions.inventory.create_location import create_location
from functions.inventory.set_stock_level import set_stock_level
from tests.conftest import Ask, Books

AS_ADMIN, AS_OPERATOR = ("admin",), ("operator",)
PARTS = ("stock", "sales", "listings", "words")


@pytest.fixture
async def shelf(ask: Ask) -> list[str]:
    """Three products on sale and a draft: their ids."""
    made = []
    for number in range(4):
        body = {
            "title": f"Mug number {('one', 'two', 'three', 'four')[number]}",
            "attributes": {"colour": "red"},
            "variants": [{"sku": f"MUG-{number}", "price_minor": 100}],
            "status": "published" if number < 3 else "draft",
        }
        made.append(json.loads((await ask(create_product, "/v1/products", body, roles=AS_ADMIN)).body)["id"])
    return made


async def rebuilt(ask: Ask, part: str, *, mend: bool = False, limit: int = 500) -> dict[str, list[str]]:
    """What differs, by key, all batches together."""
    found: dict[str, list[str]] = {}
    after: str | None = None
    while True:
        body: dict[str, Any] = {"part": part, "mend": mend, "limit": limit, "after": after}
        answer = await ask(rebuild_catalog, "/v1/admin/catalog-rebuild", body, roles=AS_OPERATOR)
        assert answer.status == 200, answer
        batch = json.loads(answer.body)
        assert batch["mended"] == (mend and bool(batch["differences"]))
        found |= {difference["key"]: difference["what"] for difference in batch["differences"]}
        after = batch["after"]
        if after is None:
            return found


@pytest.mark.parametrize("part", PARTS)
async def test_nothing_differs_in_a_sound_catalogue(part: str, shelf: list[str], ask: Ask) -> None:
    assert await rebuilt(ask, part) == {}
    assert await rebuilt(ask, part, limit=1) == {}


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("delete from catalog.listings where product_id = %(id)s", ["missing"]),
        ("delete from catalog.search_entries where product_id = %(id)s", ["missing"]),
        ("update catalog.listings set document = '{}' where product_id = %(id)s", ["document"]),
        ("update catalog.listings set version = 9 where product_id = %(id)s", ["document"]),
        ("update catalog.listings set stock = '{}' where product_id = %(id)s", ["stock"]),
        ("update catalog.search_entries set availability = 'low' where product_id = %(id)s", ["stock"]),
        ("update catalog.search_entries set price_minor = 1 where product_id = %(id)s", ["search"]),
        ("update catalog.search_entries set lexemes = '' where product_id = %(id)s", ["search"]),
        ("update catalog.search_entries set units_sold = 5 where product_id = %(id)s", ["units_sold"]),
        ("update catalog.products set title = 'Quite another' where id = %(id)s", ["document", "search", "words"]),
        ("update catalog.products set status = 'draft' where id = %(id)s", ["stray"]),
        ("delete from catalog.products where id = %(id)s", ["stray"]),
        ("update catalog.variants set price_minor = 7 where product_id = %(id)s", ["document", "search"]),
    ],
)
async def test_a_wrong_listing_is_told_and_mended(
    harm: str, what: list[str], shelf: list[str], ask: Ask, db: Books
) -> None:
    await db.run(harm, id=shelf[1])

    assert await rebuilt(ask, "listings", limit=2) == {shelf[1]: what}
    assert await rebuilt(ask, "listings", mend=True, limit=2) == {shelf[1]: what}
    assert await rebuilt(ask, "listings") == {}


async def test_a_draft_that_was_listed_is_stray(shelf: list[str], ask: Ask, db: Books) -> None:
    await db.run("insert into catalog.listings select %(id)s, 1, '{}', '{}', 0", id=shelf[3])

    assert await rebuilt(ask, "listings", mend=True) == {shelf[3]: ["stray"]}
    assert len(json.loads((await ask(list_products, "/v1/products")).body)["items"]) == 3


async def test_all_derived_rows_can_be_lost_and_made_again(shelf: list[str], ask: Ask, db: Books) -> None:
    path = "/v1/products?sort=title"
    before = (await ask(list_products, path)).body
    await db.run("truncate catalog.listings, catalog.search_entries, catalog.words")
    await rebuilt(ask, "listings", mend=True)

    assert (await ask(list_products, path)).body == before
    assert await db.value("select count(*) from catalog.words where word = 'mug'") == 1


async def test_words_of_no_product_are_forgotten(shelf: list[str], ask: Ask, db: Books) -> None:
    await db.run("insert into catalog.words values ('zzzword', array['zzzword'])")

    assert await rebuilt(ask, "words", mend=True, limit=2) == {"zzzword": ["stray"]}
    assert await rebuilt(ask, "words") == {}


async def test_stock_is_taken_from_the_inventory(shelf: list[str], ask: Ask, db: Books) -> None:
    await ask(create_location, "/v1/locations", {"id": "LON", "name": "London"}, roles=AS_ADMIN)
    level = {"on_hand": 50, "reason": "recount"}
    await ask(set_stock_level, "/v1/stock/MUG-1/LON", level, roles=AS_ADMIN)
    assert await rebuilt(ask, "stock") == {"MUG-1": ["status"]}  # its event is not delivered here

    await rebuilt(ask, "stock", mend=True, limit=1)

    assert await rebuilt(ask, "stock") == {}
    row = await db.one("select status, sequence from catalog.stock where sku = 'MUG-1'")
    head = await db.value("select sequence from platform.streams where key = 'MUG-1'")
    assert tuple(row) == ("in_stock", head)
    page = json.loads((await ask(list_products, "/v1/products?availability=in_stock")).body)
    assert [item["id"] for item in page["items"]] == [shelf[1]]


async def test_sales_are_counted_anew_from_orders_that_were_confirmed(shelf: list[str], ask: Ask, db: Books) -> None:
    await db.run("""
        insert into orders.orders (id, number, recorded, placed_at, currency, total_minor, payment_token, status,
          version, created_at)
        select ('00000000-0000-0000-0000-00000000000' || n)::uuid, n::text, false, now(), 'GBP', 100, 'tok',
          'confirmed', 1, now() from generate_series(1, 3) n""")
    await db.run("""
        insert into orders.order_lines (order_id, line_no, sku, title, quantity, unit_price_minor, total_minor)
        select id, 1, 'MUG-0', 'Mug', 2, 50, 100 from orders.orders""")
    await db.run("""
        insert into orders.saga_moves (order_id, position, to_state, cause, at)
        select id, 1, case number when '3' then 'cancelled' else 'capturing' end,
          case number when '3' then 'HoldReleased' else 'HoldCommitted' end, now() from orders.orders""")
    await db.run("""
        insert into platform.outbox (id, source, type, topic, partition, key, time, data)
        select 'e', '/shop/orders/x', 'shop.orders.order.confirmed.v1', 'shop.orders', 0, id::text, now(), ''
        from orders.orders where number = '2'""")
    await db.run("insert into catalog.sales values ('GONE', 7, true)")

    assert await rebuilt(ask, "sales") == {"GONE": ["units"], "MUG-0": ["units"]}
    assert await rebuilt(ask, "sales", mend=True, limit=1) == {"GONE": ["units"], "MUG-0": ["units"]}
    rows = await db.all("select sku, units from catalog.sales order by sku")
    assert [tuple(row) for row in rows] == [("GONE", 0), ("MUG-0", 2)]  # the second order's event is on its way
    await db.run(
        "insert into platform.inbox (consumer, source, event_id) values ('count-sales', '/shop/orders/x', 'e')"
    )
    assert await rebuilt(ask, "sales") == {"MUG-0": ["units"]}


@pytest.mark.parametrize("body", [{"part": "listings", "after": "no-id"}, {"part": "nothing"}, {"limit": 0}])
async def test_what_is_no_part_and_no_key_is_refused(body: Any, ask: Ask) -> None:
    assert (await ask(rebuild_catalog, "/v1/admin/catalog-rebuild", body, roles=AS_OPERATOR)).status == 422


async def test_only_operators_rebuild(ask: Ask) -> None:
    assert (await ask(rebuild_catalog, "/v1/admin/catalog-rebuild", {"part": "words"}, roles=AS_ADMIN)).status == 403
