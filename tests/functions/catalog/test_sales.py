"""What is sold is counted once, and what sells best comes first."""

from typing import Any
from uuid import UUID

from functions.catalog.count_sales import count_sales
from functions.catalog.rank_best_sellers import AT_ONCE, rank_best_sellers
from functions.orders.record_order import record_order
from shared.orders.events import OrderConfirmed
from tests.conftest import Ask, Books, Run
from tests.functions.catalog.conftest import STAFF, Catalogue, said


async def sold(ask: Ask, reference: str, **quantities: int) -> OrderConfirmed:
    body = {
        "reference": reference,
        "placed_at": "2026-03-01T12:00:00Z",
        "currency": "GBP",
        "payment_token": "tok_approve",
        "lines": [
            {"sku": sku, "title": "A thing", "quantity": quantity, "unit_price_minor": 5}
            for sku, quantity in quantities.items()
            for quantity in (quantity, 1)
        ],
    }
    answer = await ask(record_order, "/v1/admin/orders", body, roles=STAFF, idempotency_key=reference)
    assert answer.status == 201, answer
    order = said(answer)
    return OrderConfirmed(order_id=UUID(order["id"]), currency="GBP", total_minor=order["total_minor"])


async def units(db: Books) -> dict[str, tuple[int, bool]]:
    return {row.sku: (row.units, row.ranked) for row in await db.all("select sku, units, ranked from catalog.sales")}


async def test_an_order_counts_once(ask: Ask, deliver: Any, db: Books, run: Run) -> None:
    first, second = await sold(ask, "1", mug=2, cup=3), await sold(ask, "2", mug=4)
    for _ in range(3):
        assert (await deliver(count_sales, first, id="e-1")).status == 204
    assert await units(db) == {"mug": (3, False), "cup": (4, False)}
    await run(rank_best_sellers)
    assert await units(db) == {"mug": (3, True), "cup": (4, True)}
    await deliver(count_sales, second, id="e-2")
    assert await units(db) == {"mug": (8, False), "cup": (4, True)}
    nobody = OrderConfirmed(order_id=UUID(int=9), currency="GBP", total_minor=1)
    assert (await deliver(count_sales, nobody, id="e-3")).status == 204


async def test_what_sells_best_comes_first_after_the_next_tick(
    ask: Ask, deliver: Any, run: Run, catalogue: Catalogue
) -> None:
    for slug in ("cup", "mug", "pot"):
        await catalogue.create(slug, f"{slug}-large", slug=slug, title="Thing")
    await deliver(count_sales, await sold(ask, "1", mug=2, pot=5), id="e-1")
    assert set(await catalogue.listed("sort=best_selling")) == {"cup", "mug", "pot"}

    await run(rank_best_sellers)
    assert await catalogue.listed("sort=best_selling") == ["pot", "mug", "cup"]
    assert await catalogue.listed("sort=-best_selling") == ["cup", "mug", "pot"]
    assert await catalogue.found() == await catalogue.found("q=thing") == ["pot", "mug", "cup"]
    await deliver(count_sales, await sold(ask, "2", **{"mug-large": 9}), id="e-2")
    await run(rank_best_sellers)
    assert await catalogue.listed("sort=best_selling") == ["mug", "pot", "cup"], "variants count together"
    assert await run(rank_best_sellers) == (None, [])


async def test_sales_stay_with_the_sku(ask: Ask, deliver: Any, run: Run, catalogue: Catalogue) -> None:
    await deliver(count_sales, await sold(ask, "1", mug=5), id="e-1")
    await run(rank_best_sellers)
    for slug in ("mug", "cup"):
        await catalogue.create(slug, slug=slug)
    assert await catalogue.listed("sort=best_selling") == ["mug", "cup"], "sold before it was in the catalogue"
    await catalogue.update("mug", variants=[{"sku": "other", "price_minor": 1}])
    await catalogue.update("cup", variants=[{"sku": "mug", "price_minor": 1}])
    assert await catalogue.listed("sort=best_selling") == ["cup", "mug"]
    await catalogue.update("cup", status="archived")
    await deliver(count_sales, await sold(ask, "2", mug=1), id="e-2")
    await run(rank_best_sellers)
    await catalogue.update("cup", status="published")
    assert await catalogue.listed("sort=best_selling") == ["cup", "mug"]


async def test_many_skus_take_a_few_ticks(db: Books, run: Run) -> None:
    await db.run(
        "insert into catalog.sales select 's-' || n, 1, false from generate_series(1, %(n)s) as n", n=AT_ONCE + 5
    )
    for left in (5, 0, 0):
        await run(rank_best_sellers)
        assert await db.value("select count(*) from catalog.sales where not ranked") == left
