"""Goods leave for an order, or are given back, whole or in parts: each part once, and nothing that is not there."""

from typing import Any
from uuid import UUID

import pytest

from functions.inventory.commit_hold import commit_hold
from functions.inventory.expire_holds import expire_holds
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.release_hold_part import release_hold_part
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import (
    AllocatedLine,
    CommitHold,
    HoldCommitted,
    HoldExpired,
    HoldPartReleased,
    HoldRejected,
    HoldReleased,
    HoldShipped,
    PartLine,
    ReleaseHold,
    ReleasePart,
    ShipHold,
    ShipmentRefused,
    StockHeld,
    StockShipped,
)
from shared.runtime import Event
from tests.conftest import ADMIN, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level
from tests.functions.inventory.test_stock_status import LATER

FIRST, SECOND, THIRD = (UUID(int=0xB0 + n) for n in range(3))
AT = dict[str, int] | None
"""Quantities by SKU, or by SKU@LOCATION; None for all that is open."""


def parts(quantities: dict[str, int]) -> list[PartLine]:
    lines = []
    for name, quantity in quantities.items():
        sku, _, location = name.partition("@")
        lines.append(PartLine(sku=sku, location=location or None, quantity=quantity))
    return lines


def ship(part: UUID, quantities: AT = None, order: UUID = ORDER) -> ShipHold:
    return ShipHold(order_id=order, part_id=part, lines=None if quantities is None else parts(quantities))


def lines(quantities: dict[str, int]) -> tuple[AllocatedLine, ...]:
    found = (name.split("@") for name in quantities)
    return tuple(
        AllocatedLine(sku=sku, location=location, quantity=quantities[f"{sku}@{location}"]) for sku, location in found
    )


def shipped(part: UUID, quantities: dict[str, int], order: UUID = ORDER, *, complete: bool) -> HoldShipped:
    return HoldShipped(order_id=order, part_id=part, lines=lines(quantities), complete=complete)


def refused(part: UUID, reason: Any, /, order: UUID = ORDER, **missing: int) -> ShipmentRefused:
    return ShipmentRefused(order_id=order, part_id=part, reason=reason, missing=missing)


def given_back(part: UUID, quantities: dict[str, int], *, complete: bool) -> HoldPartReleased:
    return HoldPartReleased(order_id=ORDER, part_id=part, lines=lines(quantities), complete=complete)


async def said(run: Run, command: ShipHold | ReleasePart) -> list[Event]:
    function: Any = ship_hold if isinstance(command, ShipHold) else release_hold_part
    return (await run(function, command))[1]


async def status_of(db: Books, order: UUID = ORDER) -> str:
    return str(await db.value("select status from inventory.holds where order_id = %(order)s", order=order))


@pytest.fixture
async def paid(run: Run, stocked: Stocked) -> None:
    """Three mugs, two of them in LON, and one tea are committed to ORDER."""
    await stocked("mug", "LON", 2)
    await stocked("mug", "LEEDS", 4)
    await stocked("tea", "LON", 9)
    await run(hold_stock, hold(mug=5, tea=1).model_copy(update={"allocation": "priority"}))
    await run(commit_hold, CommitHold(order_id=ORDER))


async def test_all_that_is_open_leaves_the_stock_and_the_order(run: Run, paid: None, db: Books) -> None:
    emitted = await said(run, ship(FIRST))

    assert emitted[0] == shipped(FIRST, {"mug@LEEDS": 3, "mug@LON": 2, "tea@LON": 1}, complete=True)
    left = [event for event in emitted if isinstance(event, StockShipped)]
    assert [(one.sku, one.location, one.delta, one.on_hand, one.committed, one.order_id) for one in left] == [
        ("mug", "LEEDS", -3, 1, 0, ORDER),
        ("mug", "LON", -2, 0, 0, ORDER),
        ("tea", "LON", -1, 8, 0, ORDER),
    ]
    assert len(emitted) == 4  # what is available stays, so no status changes
    assert (await level(db, "mug"), await level(db, "mug", "LEEDS"), await level(db, "tea")) == (
        (0, 0, 0, 0), (1, 0, 0, 0), (8, 0, 0, 0),
    )  # fmt: skip
    assert await status_of(db) == "SHIPPED"
    rows = await db.all("select sku, location, delta from inventory.ledger where order_id is not null order by id")
    assert [tuple(row) for row in rows] == [("mug", "LEEDS", -3), ("mug", "LON", -2), ("tea", "LON", -1)]


async def test_parts_leave_one_by_one_and_the_last_completes(run: Run, paid: None, db: Books) -> None:
    first = await said(run, ship(FIRST, {"tea": 1, "mug@LON": 1}))
    assert first[0] == shipped(FIRST, {"mug@LON": 1, "tea@LON": 1}, complete=False)
    assert await status_of(db) == "COMMITTED"
    assert (await said(run, ship(SECOND, {"mug": 3})))[0] == shipped(SECOND, {"mug@LEEDS": 3}, complete=False)
    assert (await said(run, ship(THIRD)))[0] == shipped(THIRD, {"mug@LON": 1}, complete=True)
    assert await status_of(db) == "SHIPPED"


async def test_a_part_leaves_once_and_is_answered_each_time(run: Run, paid: None, db: Books) -> None:
    part = {"mug@LON": 2}
    assert (await said(run, ship(FIRST, part)))[0] == shipped(FIRST, part, complete=False)
    for _ in range(2):
        assert await said(run, ship(FIRST, part)) == [shipped(FIRST, part, complete=False)]
    assert await said(run, ship(FIRST, {"tea": 1})) == [shipped(FIRST, part, complete=False)]
    assert await level(db, "mug") == (0, 0, 0, 0)

    await said(run, ship(SECOND))
    assert await said(run, ship(FIRST, part)) == [shipped(FIRST, part, complete=True)]
    await run(release_hold, ReleaseHold(order_id=ORDER))
    assert await said(run, ship(SECOND)) == [shipped(SECOND, {"mug@LEEDS": 3, "tea@LON": 1}, complete=True)]


async def test_what_names_a_location_comes_first(run: Run, paid: None) -> None:
    """Any two of the mugs and the three of LEEDS are all five, whichever is named first."""
    assert (await said(run, ship(FIRST, {"mug": 2, "mug@LEEDS": 3})))[0] == shipped(
        FIRST, {"mug@LEEDS": 3, "mug@LON": 2}, complete=False
    )


async def test_lines_of_one_sku_add_up(run: Run, paid: None) -> None:
    command = ShipHold(order_id=ORDER, part_id=FIRST, lines=[*parts({"mug@LON": 1}), *parts({"mug@LON": 1})])
    assert (await said(run, command))[0] == shipped(FIRST, {"mug@LON": 2}, complete=False)
    command = ShipHold(order_id=ORDER, part_id=SECOND, lines=[*parts({"mug": 2}), *parts({"mug": 2})])
    assert await said(run, command) == [refused(SECOND, "not_open", mug=1)]


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ({"mug": 6}, {"mug": 1}),
        ({"mug@LON": 3}, {"mug": 1}),
        ({"mug@LON": 3, "mug": 5, "tea": 2}, {"mug": 3, "tea": 1}),
        ({"hat": 1, "tea": 1}, {"hat": 1}),
        ({"tea@LEEDS": 1}, {"tea": 1}),
        ({"tea@nowhere": 1}, {"tea": 1}),
    ],
)
async def test_what_is_not_open_does_not_leave_and_nothing_else_does(
    run: Run, paid: None, db: Books, wanted: dict[str, int], missing: dict[str, int]
) -> None:
    assert await said(run, ship(FIRST, wanted)) == [
        ShipmentRefused(order_id=ORDER, part_id=FIRST, reason="not_open", missing=missing)
    ]
    assert (await level(db, "mug"), await level(db, "tea")) == ((2, 0, 2, 0), (9, 0, 1, 0))
    assert (await said(run, ship(FIRST, {"tea": 1})))[0] == shipped(FIRST, {"tea@LON": 1}, complete=False)


async def test_only_what_is_paid_for_leaves(run: Run, stocked: Stocked) -> None:
    assert await said(run, ship(FIRST)) == [refused(FIRST, "not_committed")]
    await stocked("mug", on_hand=1)
    await run(hold_stock, hold(mug=1))
    assert await said(run, ship(FIRST)) == [refused(FIRST, "not_committed")]
    await run(release_hold, ReleaseHold(order_id=ORDER))
    assert await said(run, ship(FIRST)) == [refused(FIRST, "not_committed")]
    await run(hold_stock, hold(OTHER, mug=1))
    await run(expire_holds, now=LATER)
    assert await said(run, ship(FIRST, order=OTHER)) == [refused(FIRST, "not_committed", order=OTHER)]


async def test_what_was_found_missing_does_not_leave(run: Run, paid: None, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LON", 1)
    assert await said(run, ship(FIRST)) == [refused(FIRST, "not_on_hand", mug=1)]
    assert (await said(run, ship(FIRST, {"mug@LON": 1, "tea": 1})))[0] == shipped(
        FIRST, {"mug@LON": 1, "tea@LON": 1}, complete=False
    )
    assert await level(db, "mug") == (0, 0, 1, 1)
    assert await said(run, ship(SECOND)) == [refused(SECOND, "not_on_hand", mug=1)]
    await stocked("mug", "LON", 1)
    assert (await said(run, ship(SECOND)))[0] == shipped(SECOND, {"mug@LEEDS": 3, "mug@LON": 1}, complete=True)


async def test_back_orders_leave_once_goods_are_there(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=1)
    await run(set_level_policy, SetLevelPolicy(sku="mug", location="LON", backorder_limit=5), caller=ADMIN)
    await run(hold_stock, hold(mug=4))
    await run(commit_hold, CommitHold(order_id=ORDER))

    assert await said(run, ship(FIRST)) == [refused(FIRST, "not_on_hand", mug=3)]
    assert (await said(run, ship(FIRST, {"mug": 1})))[0] == shipped(FIRST, {"mug@LON": 1}, complete=False)
    assert await level(db, "mug") == (0, 0, 3, 0)
    await stocked("mug", on_hand=3)
    assert (await said(run, ship(SECOND)))[0] == shipped(SECOND, {"mug@LON": 3}, complete=True)
    assert await level(db, "mug") == (0, 0, 0, 0)


async def test_what_takes_no_stock_ships_without_lines_once(run: Run, db: Books) -> None:
    await run(set_item_policy, SetItemPolicy(sku="postage", tracked=False), caller=ADMIN)
    await run(hold_stock, hold(postage=1))
    assert await said(run, ship(FIRST)) == [refused(FIRST, "not_committed")]
    await run(commit_hold, CommitHold(order_id=ORDER))
    assert await said(run, ship(FIRST, {"postage": 1})) == [refused(FIRST, "not_open", postage=1)]

    for _ in range(2):
        assert await said(run, ship(FIRST)) == [shipped(FIRST, {}, complete=True)]
    assert await status_of(db) == "SHIPPED"


async def test_a_closed_location_still_ships_what_it_promised(run: Run, paid: None, db: Books) -> None:
    await db.run("update inventory.locations set closed_at = now() where id = 'LON'")
    assert (await said(run, ship(FIRST, {"tea": 1})))[0] == shipped(FIRST, {"tea@LON": 1}, complete=False)


async def test_what_has_left_is_not_given_back(run: Run, paid: None, db: Books) -> None:
    await said(run, ship(FIRST, {"mug@LEEDS": 2}))
    for _ in range(2):
        assert (await run(release_hold, ReleaseHold(order_id=ORDER)))[1][-1] == HoldReleased(order_id=ORDER)
        assert await level(db, "mug", "LEEDS") == (2, 0, 0, 0)
        assert await level(db, "mug") == (2, 0, 0, 0)
    assert await status_of(db) == "SHIPPED"
    assert await said(run, ship(SECOND)) == [refused(SECOND, "not_committed")]
    assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldCommitted(order_id=ORDER)]
    assert (await run(release_hold, ReleaseHold(order_id=ORDER)))[1] == [HoldReleased(order_id=ORDER)]


@pytest.mark.parametrize("committed", [False, True])
async def test_a_part_is_given_back_once(run: Run, stocked: Stocked, db: Books, committed: bool) -> None:
    await stocked("mug", "LON", 2)
    await stocked("mug", "LEEDS", 2)
    await run(hold_stock, hold(mug=3))
    if committed:
        await run(commit_hold, CommitHold(order_id=ORDER))
    back = ReleasePart(order_id=ORDER, part_id=FIRST, lines=parts({"mug@LON": 1}))
    for _ in range(2):
        assert (await said(run, back))[-1] == given_back(FIRST, {"mug@LON": 1}, complete=False)
        promised = (2, 0, 1, 0) if committed else (2, 1, 0, 0)
        assert await level(db, "mug") == promised

    await run(hold_stock, hold(OTHER, mug=2))
    back = ReleasePart(order_id=ORDER, part_id=SECOND, lines=parts({"mug": 9, "tea": 1}))
    assert (await said(run, back))[-1] == given_back(SECOND, {"mug@LEEDS": 1, "mug@LON": 1}, complete=True)
    assert await status_of(db) == "RELEASED"
    assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldExpired(order_id=ORDER)]
    assert (await said(run, back)) == [given_back(SECOND, {"mug@LEEDS": 1, "mug@LON": 1}, complete=True)]
    back = ReleasePart(order_id=ORDER, part_id=THIRD, lines=parts({"mug": 1}))
    assert await said(run, back) == [given_back(THIRD, {}, complete=True)]


async def test_the_rest_after_a_shipment_given_back_in_part_ends_shipped(run: Run, paid: None, db: Books) -> None:
    await said(run, ship(FIRST, {"mug": 5}))
    back = ReleasePart(order_id=ORDER, part_id=FIRST, lines=parts({"tea": 1}))

    assert (await said(run, back))[-1] == given_back(FIRST, {"tea@LON": 1}, complete=True)
    assert await status_of(db) == "SHIPPED"


async def test_the_rest_after_a_part_given_back_leaves_whole(run: Run, paid: None) -> None:
    await said(run, ReleasePart(order_id=ORDER, part_id=FIRST, lines=parts({"mug": 4})))

    assert (await said(run, ship(FIRST)))[0] == shipped(FIRST, {"mug@LON": 1, "tea@LON": 1}, complete=True)


async def test_a_part_of_nothing_is_given_back_without_ending_the_hold(run: Run, db: Books) -> None:
    await run(set_item_policy, SetItemPolicy(sku="postage", tracked=False), caller=ADMIN)
    await run(hold_stock, hold(postage=1))
    await run(commit_hold, CommitHold(order_id=ORDER))
    back = ReleasePart(order_id=ORDER, part_id=FIRST, lines=parts({"postage": 1}))
    for _ in range(2):
        assert await said(run, back) == [given_back(FIRST, {}, complete=True)]
    assert await status_of(db) == "COMMITTED"


async def test_a_part_is_given_back_of_no_hold_but_what_comes_later_is_held(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=1)
    back = ReleasePart(order_id=ORDER, part_id=FIRST, lines=parts({"mug": 1}))
    assert await said(run, back) == [given_back(FIRST, {}, complete=True)]

    assert isinstance((await run(hold_stock, hold(mug=1)))[1][0], StockHeld)


async def test_a_part_of_another_order_is_another_part(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=9)
    for order in (ORDER, OTHER):
        await run(hold_stock, hold(order, mug=2))
        await run(commit_hold, CommitHold(order_id=order))
        assert (await said(run, ship(FIRST, {"mug": 1}, order)))[0] == shipped(
            FIRST, {"mug@LON": 1}, order, complete=False
        )


async def test_a_shipped_order_is_answered_as_before(run: Run, paid: None) -> None:
    await said(run, ship(FIRST))
    (again,) = (await run(hold_stock, hold(mug=5, tea=1)))[1]

    assert isinstance(again, StockHeld)
    assert again.allocations == lines({"mug@LEEDS": 3, "mug@LON": 2, "tea@LON": 1})
    assert (await run(hold_stock, hold(OTHER, mug=2)))[1] == [HoldRejected(order_id=OTHER, shortages={"mug": 1})]
