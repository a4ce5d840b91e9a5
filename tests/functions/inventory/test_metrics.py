"""What is measured of stock is what the tables say, and what is not there any more is told as 0."""

from datetime import timedelta

from prometheus_client import REGISTRY

from functions.inventory.hold_stock import hold_stock
from functions.inventory.measure_stock import AGES, STATUSES, UNITS, measure_stock
from functions.inventory.release_hold import release_hold
from shared.inventory.events import ReleaseHold
from tests.conftest import Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold


def measured(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"shop_inventory_{name}", labels)


async def test_levels_holds_and_shortfalls(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LON", 20)
    await stocked("mug", "LEEDS", 5)
    await stocked("tea", "LON", 3)
    await run(hold_stock, hold(mug=20, tea=2))
    await run(hold_stock, hold(OTHER, mug=1))
    await stocked("mug", "LON", 18)
    await db.run(
        "update inventory.holds set created_at = now() - %(age)s, expires_at = now() - %(over)s"
        " where order_id = %(id)s",
        age=timedelta(hours=3), over=timedelta(minutes=1), id=OTHER,
    )  # fmt: skip
    await run(measure_stock)

    assert {kind: measured("units", kind=kind) for kind in UNITS} == {
        "on_hand": 26, "held": 23, "committed": 0, "safety_stock": 0, "shortfall": 2,
    }  # fmt: skip
    assert {status: measured("skus", status=status) for status in STATUSES} == {
        "in_stock": 0, "low": 2, "backorder": 0, "out_of_stock": 0,
    }  # fmt: skip
    assert {age: measured("holds", status="HELD", age=age) for age in AGES} == {
        "5m": 0, "1h": 0, "1d": 1, "7d": 0, "older": 1,
    }  # fmt: skip
    assert (measured("holds_overdue"), measured("shortfalls")) == (2, 1)

    for order in (ORDER, OTHER):
        await run(release_hold, ReleaseHold(order_id=order))
    await run(measure_stock)
    assert (measured("units", kind="held"), measured("holds_overdue"), measured("shortfalls")) == (0, 0, 0)


async def test_transfers_by_whether_they_are_overdue(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LON", 1)
    await db.run("""
        insert into inventory.transfers (id, destination, status, expected_at, actor, created_at, updated_at)
        select gen_random_uuid(), 'LON', status, now() + at, 'test', now(), now()
        from (values ('in_transit', interval '-1 day'), ('in_transit', '1 day'), ('in_transit', null),
          ('arrived', '-1 day')) as t (status, at)""")
    await run(measure_stock)

    assert (measured("transfers", overdue="yes"), measured("transfers", overdue="no")) == (1, 2)


async def test_every_hold_tells_how_long_it_waited(run: Run, stocked: Stocked) -> None:
    before = measured("lock_wait_seconds_count") or 0
    await stocked("mug", on_hand=1)
    await run(hold_stock, hold(mug=1))

    assert measured("lock_wait_seconds_count") == before + 1
