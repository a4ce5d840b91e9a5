"""An order holds all that it needs or nothing, once, until that is committed, released or expired."""

from datetime import timedelta
from uuid import UUID

import pytest

from functions.inventory.commit_hold import commit_hold
from functions.inventory.expire_holds import expire_holds
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from shared.inventory.events import (
    AllocatedLine,
    CommitHold,
    HoldCommitted,
    HoldExpired,
    HoldLine,
    HoldRejected,
    HoldReleased,
    HoldStock,
    ReleaseHold,
    StockDepleted,
    StockHeld,
)
from shared.runtime import Event
from tests.conftest import ADMIN, NOW, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level

LATER = NOW + timedelta(seconds=60)


def held(*allocations: tuple[str, str, int], order: UUID = ORDER) -> StockHeld:
    lines = (AllocatedLine(sku=sku, location=location, quantity=quantity) for sku, location, quantity in allocations)
    return StockHeld(order_id=order, expires_at=LATER, allocations=tuple(lines))


async def test_what_is_there_is_held(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=3)
    await stocked("tea", on_hand=1)
    _, emitted = await run(hold_stock, hold(tea=1, mug=2))

    depleted = StockDepleted(sku="tea", status="out_of_stock", was="low", available=0, low_at=5)
    assert emitted == [held(("mug", "LON", 2), ("tea", "LON", 1)), depleted]
    assert (await level(db, "mug"), await level(db, "tea")) == ((3, 2, 0, 0), (1, 1, 0, 0))


async def test_one_short_line_leaves_all_stock_alone(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=3)
    await stocked("tea", on_hand=1)
    _, emitted = await run(hold_stock, hold(mug=2, tea=2, never_heard_of=5))

    assert emitted == [HoldRejected(order_id=ORDER, shortages={"tea": 1, "never_heard_of": 5})]
    assert await level(db, "mug") == (3, 0, 0, 0)


async def test_lines_of_one_sku_are_summed_first(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=3)
    lines = [HoldLine(sku="mug", quantity=2), HoldLine(sku="mug", quantity=2)]
    _, emitted = await run(hold_stock, HoldStock(order_id=ORDER, lines=lines, expires_in_s=60))

    assert emitted == [HoldRejected(order_id=ORDER, shortages={"mug": 1})]


async def test_untracked_skus_are_always_held(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=3)
    await run(set_item_policy, SetItemPolicy(sku="postage", tracked=False), caller=ADMIN)

    assert (await run(hold_stock, hold(mug=1, postage=9)))[1] == [held(("mug", "LON", 1))]
    assert (await run(hold_stock, hold(OTHER, postage=9)))[1] == [held(order=OTHER)]


async def test_locations_are_served_by_priority_and_closed_ones_not_at_all(
    run: Run, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", "LON", 2)
    await stocked("mug", "LEEDS", 2)
    _, emitted = await run(hold_stock, hold(mug=3))
    assert emitted == [held(("mug", "LEEDS", 1), ("mug", "LON", 2))]

    await db.run("update inventory.locations set closed_at = now() where id = 'LEEDS'")
    _, emitted = await run(hold_stock, hold(OTHER, mug=1))
    assert emitted == [HoldRejected(order_id=OTHER, shortages={"mug": 1})]


async def test_commit_keeps_what_is_held(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=3)
    await run(hold_stock, hold(mug=2))
    for _ in range(2):
        assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldCommitted(order_id=ORDER)]
        assert await level(db, "mug") == (3, 0, 2, 0)

    assert (await run(expire_holds, now=LATER))[1] == []
    assert (await run(hold_stock, hold(mug=2)))[1] == [held(("mug", "LON", 2))]
    assert await level(db, "mug") == (3, 0, 2, 0)


@pytest.mark.parametrize("committed", [False, True])
async def test_release_gives_back(run: Run, stocked: Stocked, db: Books, committed: bool) -> None:
    await stocked("mug", on_hand=3)
    await run(hold_stock, hold(mug=2))
    if committed:
        await run(commit_hold, CommitHold(order_id=ORDER))
    for _ in range(2):
        assert (await run(release_hold, ReleaseHold(order_id=ORDER)))[1] == [HoldReleased(order_id=ORDER)]
        assert await level(db, "mug") == (3, 0, 0, 0)

    assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldExpired(order_id=ORDER)]
    assert (await run(expire_holds, now=LATER))[1] == []


async def test_a_released_order_holds_nothing_any_more(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=3)
    assert (await run(release_hold, ReleaseHold(order_id=ORDER)))[1] == [HoldReleased(order_id=ORDER)]

    refused = HoldRejected(order_id=ORDER, shortages={}, reason="released")
    assert (await run(hold_stock, hold(mug=2)))[1] == [refused]
    assert await level(db, "mug") == (3, 0, 0, 0)


async def test_what_is_held_too_long_is_given_back(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await run(hold_stock, hold(mug=2))
    await run(hold_stock, hold(OTHER, mug=1, expires_in_s=61))

    assert (await run(expire_holds, now=LATER - timedelta(microseconds=1)))[1] == []
    assert (await run(expire_holds, now=LATER))[1] == [HoldExpired(order_id=ORDER)]
    assert await level(db, "mug") == (5, 1, 0, 0)
    assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldExpired(order_id=ORDER)]
    assert (await run(hold_stock, hold(mug=2)))[1] == [HoldExpired(order_id=ORDER)]
    assert await level(db, "mug") == (5, 1, 0, 0)


async def test_a_hold_that_is_over_cannot_be_committed_even_before_the_timer_comes(
    run: Run, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=3)
    await run(hold_stock, hold(mug=2))
    _, emitted = await run(commit_hold, CommitHold(order_id=ORDER), now=LATER)

    assert emitted == [HoldExpired(order_id=ORDER)]
    assert await level(db, "mug") == (3, 0, 0, 0)
    assert (await run(expire_holds, now=LATER))[1] == []


async def test_there_is_nothing_to_commit_without_a_hold(run: Run, stocked: Stocked, db: Books) -> None:
    assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldExpired(order_id=ORDER)]
    await run(hold_stock, hold(mug=1))
    assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldExpired(order_id=ORDER)]
    assert (await run(release_hold, ReleaseHold(order_id=ORDER)))[1] == [HoldReleased(order_id=ORDER)]


async def test_an_answer_given_once_is_given_again(run: Run, stocked: Stocked, db: Books) -> None:
    async def ask_twice(order: UUID) -> list[Event]:
        first = await run(hold_stock, hold(order, mug=2), now=NOW)
        await stocked("mug", on_hand=9)
        again = await run(hold_stock, hold(order, mug=2), now=LATER)
        return [first[1][0], *again[1]]

    await stocked("mug", on_hand=2)
    assert await ask_twice(ORDER) == [held(("mug", "LON", 2))] * 2
    await stocked("mug", on_hand=3)
    assert await ask_twice(OTHER) == [HoldRejected(order_id=OTHER, shortages={"mug": 1})] * 2
    assert await level(db, "mug") == (9, 2, 0, 0)


async def test_the_largest_order_is_held_and_committed(run: Run, stocked: Stocked, db: Books) -> None:
    await db.run("insert into inventory.stock (sku, location) select 's' || n, 'LON' from generate_series(1, 675) n")
    await db.run("update inventory.stock set on_hand = 10")
    await db.run(
        "insert into inventory.items (sku, tracked, status, updated_at) select sku, true, 'in_stock', now()"
        " from inventory.stock"
    )
    await db.run(
        """insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, at, recorded_at)
        select sku, location, 10, 10, 'received', 'test', now(), now() from inventory.stock"""
    )
    lines = [HoldLine(sku=f"s{number}", quantity=2) for number in range(1, 676)]
    _, (answer,) = await run(hold_stock, HoldStock(order_id=ORDER, lines=lines, expires_in_s=60))

    assert isinstance(answer, StockHeld)
    assert len(answer.allocations) == 675
    assert await db.value("select sum(held) from inventory.stock") == 1350
    await run(commit_hold, CommitHold(order_id=ORDER))
    assert await db.value("select sum(committed) from inventory.stock") == 1350
