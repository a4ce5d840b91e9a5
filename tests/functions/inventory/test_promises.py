"""What may be promised: safety stock not, back-orders up to their limit, in part, by the shop's or the order's rule."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.create_location import CreateLocation, create_location
from functions.inventory.expire_holds import expire_holds
from functions.inventory.extend_hold import extend_hold
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.set_allocation_policy import set_allocation_policy
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import (
    AllocatedLine,
    CommitHold,
    ExtendHold,
    HoldCommitted,
    HoldExpired,
    HoldExtended,
    HoldRejected,
    HoldStock,
    ReleaseHold,
    ShipHold,
    StockHeld,
    StockShortfall,
)
from shared.runtime import Event
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level
from tests.functions.inventory.test_stock_status import LATER

AS_ADMIN = ("admin",)
THIRD = UUID(int=0xA3)
Policy = Callable[..., Awaitable[list[Event]]]


@pytest.fixture
def policy(run: Run) -> Policy:
    async def policy(sku: str = "mug", location: str = "LON", **said: Any) -> list[Event]:
        request = SetLevelPolicy(sku=sku, location=location, **said)
        return (await run(set_level_policy, request, caller=ADMIN))[1]

    return policy


def answer(emitted: list[Event]) -> tuple[dict[str, int], dict[str, int]]:
    """What was had, by SKU@LOCATION, with `+n` where n of it are not there; and what is short."""
    (said,) = [event for event in emitted if isinstance(event, StockHeld | HoldRejected)]
    if isinstance(said, HoldRejected):
        return {}, said.shortages
    return {
        f"{one.sku}@{one.location}" + (f"+{one.backordered}" if one.backordered else ""): one.quantity
        for one in said.allocations
    }, said.shortages


def shortfalls(emitted: list[Event]) -> list[tuple[str, int, tuple[UUID, ...]]]:
    return [(one.location, one.shortfall, one.orders) for one in emitted if isinstance(one, StockShortfall)]


async def held(run: Run, command: HoldStock, **said: Any) -> tuple[dict[str, int], dict[str, int]]:
    return answer((await run(hold_stock, command.model_copy(update=said)))[1])


async def test_safety_stock_is_not_sold_and_still_shown(run: Run, stocked: Stocked, policy: Policy, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await policy(safety_stock=2)

    assert await held(run, hold(mug=4)) == ({}, {"mug": 1})
    assert await held(run, hold(OTHER, mug=3)) == ({"mug@LON": 3}, {})
    await policy(safety_stock=9)
    assert await held(run, hold(THIRD, mug=1)) == ({}, {"mug": 1})
    assert await level(db, "mug") == (5, 3, 0, 0)


async def test_back_orders_are_taken_up_to_their_limit(run: Run, stocked: Stocked, policy: Policy, db: Books) -> None:
    await stocked("mug", on_hand=2)
    await policy(backorder_limit=3)

    assert await held(run, hold(mug=6)) == ({}, {"mug": 1})
    assert await held(run, hold(OTHER, mug=4)) == ({"mug@LON+2": 4}, {})
    assert await held(run, hold(THIRD, mug=2)) == ({}, {"mug": 1})
    assert await level(db, "mug") == (2, 4, 0, 0)
    assert await held(run, hold(OTHER, mug=4)) == ({"mug@LON+2": 4}, {})  # as it was answered before


async def test_back_orders_beside_safety_stock_begin_where_selling_ends(
    run: Run, stocked: Stocked, policy: Policy
) -> None:
    await stocked("mug", on_hand=5)
    await policy(backorder_limit=3, safety_stock=2)

    assert await held(run, hold(mug=7)) == ({}, {"mug": 1})
    assert await held(run, hold(OTHER, mug=6)) == ({"mug@LON+3": 6}, {})


async def test_what_is_elsewhere_comes_before_what_is_promised(run: Run, stocked: Stocked, policy: Policy) -> None:
    """All that is there, wherever; then locations promise in their order, each as much as it may."""
    await stocked("mug", "LON", 1)
    await stocked("mug", "LEEDS", 2)
    await policy(backorder_limit=2)
    await policy(location="LEEDS", backorder_limit=3)

    assert await held(run, hold(mug=9)) == ({}, {"mug": 1})
    assert await held(run, hold(OTHER, mug=3)) == ({"mug@LEEDS": 2, "mug@LON": 1}, {})
    assert await held(run, hold(THIRD, mug=4)) == ({"mug@LEEDS+2": 2, "mug@LON+2": 2}, {})


async def test_a_hold_cannot_promise_more_than_may_be_whatever_the_code_thinks(
    run: Run, stocked: Stocked, policy: Policy, db: Books
) -> None:
    await stocked("mug", on_hand=2)
    await policy(backorder_limit=3)
    await db.run("update inventory.stock set held = 5")
    with pytest.raises(psycopg.errors.CheckViolation, match="stock_not_oversold"):
        await db.run("update inventory.stock set held = 6")
    await db.run("update inventory.stock set held = 0")


async def test_a_lower_limit_than_what_waits_makes_a_shortfall_of_the_rest(
    run: Run, stocked: Stocked, policy: Policy, db: Books
) -> None:
    await stocked("mug", on_hand=1)
    await policy(backorder_limit=4)
    await run(hold_stock, hold(mug=2))
    await run(hold_stock, hold(OTHER, mug=3), now=NOW + timedelta(seconds=1))

    assert shortfalls(await policy(backorder_limit=2)) == [("LON", 2, (OTHER,))]
    assert await level(db, "mug") == (1, 5, 0, 2)
    assert shortfalls(await policy(backorder_limit=2)) == []
    assert shortfalls(await policy(backorder_limit=0)) == [("LON", 4, (OTHER, ORDER))]
    await run(commit_hold, CommitHold(order_id=OTHER))
    assert await level(db, "mug") == (1, 2, 3, 4)
    assert await held(run, hold(THIRD, mug=1)) == ({}, {"mug": 1})

    request = AdjustStock(sku="mug", location="LON", delta=2, reason="received")
    assert shortfalls((await run(adjust_stock, request, caller=ADMIN))[1]) == [("LON", 2, (ORDER,))]
    assert shortfalls((await run(release_hold, ReleaseHold(order_id=ORDER)))[1]) == [("LON", 0, ())]
    assert await level(db, "mug") == (3, 0, 3, 0)


async def test_a_shortfall_names_whom_it_touches_unpaid_and_newest_first(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=4)
    for seconds, order in enumerate((ORDER, OTHER, THIRD)):
        await run(hold_stock, hold(order, mug=1), now=NOW + timedelta(seconds=seconds))
    await run(commit_hold, CommitHold(order_id=THIRD))

    async def counted(on_hand: int) -> list[Any]:
        request = AdjustStock(sku="mug", location="LON", delta=on_hand - (await level(db, "mug"))[0], reason="lost")
        return shortfalls((await run(adjust_stock, request, caller=ADMIN))[1])

    assert await counted(3) == []
    assert await counted(2) == [("LON", 1, (OTHER,))]
    assert await counted(1) == [("LON", 2, (OTHER, ORDER))]
    assert await counted(0) == [("LON", 3, (OTHER, ORDER, THIRD))]


async def test_a_shortfall_names_a_hundred_at_most(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=103)
    for number in range(103):
        await run(hold_stock, hold(UUID(int=0xC00 + number), mug=1), now=NOW + timedelta(seconds=number))
    request = AdjustStock(sku="mug", location="LON", delta=-102, reason="lost")
    ((_, shortfall, orders),) = shortfalls((await run(adjust_stock, request, caller=ADMIN))[1])

    assert (shortfall, len(orders), orders[0]) == (102, 100, UUID(int=0xC00 + 102))


async def test_in_part_is_held_what_is_possible(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=2)
    await run(set_item_policy, SetItemPolicy(sku="postage", tracked=False), caller=ADMIN)

    wanted = hold(mug=5, tea=3, postage=1)
    for _ in range(2):
        assert await held(run, wanted, partial=True) == ({"mug@LON": 2}, {"mug": 3, "tea": 3})
    assert await held(run, hold(OTHER, mug=1, tea=1), partial=True) == ({}, {"mug": 1, "tea": 1})
    assert await held(run, hold(THIRD, mug=1, postage=1), partial=True) == ({}, {"mug": 1})
    rows = await db.all("select order_id, status, shortages from inventory.holds order by 1")
    assert [tuple(row) for row in rows] == [
        (ORDER, "HELD", {"mug": 3, "tea": 3}),
        (OTHER, "REJECTED", {"mug": 1, "tea": 1}),
        (THIRD, "HELD", {"mug": 1}),
    ]
    assert (await run(commit_hold, CommitHold(order_id=ORDER)))[1] == [HoldCommitted(order_id=ORDER)]


@pytest.mark.parametrize(
    ("rule", "had"),
    [
        ("priority", {"mug@LON": 2, "mug@LEEDS": 3}),
        ("most_stock", {"mug@YORK": 5}),
        ("fewest_splits", {"mug@LEEDS": 5}),
    ],
)
@pytest.mark.parametrize("whose", ["shop", "order"])
async def test_locations_give_by_the_orders_rule_or_the_shops(
    run: Run, ask: Ask, stocked: Stocked, rule: Any, had: dict[str, int], whose: str
) -> None:
    await run(create_location, CreateLocation(id="YORK", name="York", priority=3), caller=ADMIN)
    for location, on_hand in (("LON", 2), ("LEEDS", 5), ("YORK", 6)):
        await stocked("mug", location, on_hand)
    shops = rule if whose == "shop" else "most_stock" if rule == "priority" else "priority"
    said = await ask(set_allocation_policy, "/v1/inventory-policy", {"allocation": shops}, roles=AS_ADMIN)
    assert (said.status, json.loads(said.body)) == (200, {"allocation": shops})

    assert await held(run, hold(mug=5), allocation=None if whose == "shop" else rule) == (had, {})


async def test_only_admins_set_the_shops_rule_and_only_to_one_that_there_is(ask: Ask) -> None:
    path = "/v1/inventory-policy"
    assert (await ask(set_allocation_policy, path, {"allocation": "priority"}, roles=("service",))).status == 403
    for wrong in ({"allocation": "nearest"}, {"allocation": None}, {}, {"allocation": ["priority"]}):
        assert (await ask(set_allocation_policy, path, wrong, roles=AS_ADMIN)).status == 422


async def test_only_locations_that_ship_to_the_country_give(run: Run, stocked: Stocked, policy: Policy) -> None:
    where = {"id": "PARIS", "name": "Paris", "priority": 0, "ships_to": ["FR", "DE"]}
    await run(create_location, CreateLocation.model_validate(where), caller=ADMIN)
    await stocked("mug", "PARIS", 3)
    await stocked("mug", "LON", 1)
    await policy(location="PARIS", backorder_limit=9)

    assert await held(run, hold(mug=2), ship_to="GB") == ({}, {"mug": 1})
    assert await held(run, hold(OTHER, mug=2), ship_to="FR") == ({"mug@PARIS": 2}, {})
    assert await held(run, hold(THIRD, mug=2)) == ({"mug@PARIS": 1, "mug@LON": 1}, {})
    assert await held(run, hold(UUID(int=0xA4), mug=1), ship_to="US") == ({}, {"mug": 1})


async def test_a_hold_lives_longer_but_never_shorter(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=1)
    await run(hold_stock, hold(mug=1))

    async def extended(seconds: int, after: int = 0) -> Event:
        command = ExtendHold(order_id=ORDER, expires_in_s=seconds)
        (event,) = (await run(extend_hold, command, now=NOW + timedelta(seconds=after)))[1]
        return event

    def until(seconds: int) -> Event:
        return HoldExtended(order_id=ORDER, expires_at=NOW + timedelta(seconds=seconds))

    assert [await extended(30), await extended(60), await extended(61)] == [until(60), until(60), until(61)]
    assert await extended(60, after=60) == until(120)
    assert (await run(expire_holds, now=NOW + timedelta(seconds=119)))[1] == []
    assert await extended(60, after=120) == HoldExpired(order_id=ORDER)
    assert (await run(expire_holds, now=NOW + timedelta(seconds=120)))[1][-1] == HoldExpired(order_id=ORDER)
    assert await extended(60, after=121) == HoldExpired(order_id=ORDER)


async def test_what_cannot_be_extended_is_said(run: Run, stocked: Stocked) -> None:
    command = ExtendHold(order_id=ORDER, expires_in_s=60)
    assert (await run(extend_hold, command))[1] == [HoldExpired(order_id=ORDER)]
    await stocked("mug", on_hand=1)
    await run(hold_stock, hold(mug=1))
    await run(commit_hold, CommitHold(order_id=ORDER))
    assert (await run(extend_hold, command, now=LATER))[1] == [HoldCommitted(order_id=ORDER)]
    await run(ship_hold, ShipHold(order_id=ORDER, part_id=THIRD))
    assert (await run(extend_hold, command, now=LATER))[1] == [HoldCommitted(order_id=ORDER)]
    await run(hold_stock, hold(OTHER, mug=1))
    refused = ExtendHold(order_id=OTHER, expires_in_s=60)
    assert (await run(extend_hold, refused))[1] == [HoldExpired(order_id=OTHER)]


async def test_an_extended_hold_is_answered_with_its_new_end(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=1)
    await run(hold_stock, hold(mug=1))
    await run(extend_hold, ExtendHold(order_id=ORDER, expires_in_s=90))
    lines = (AllocatedLine(sku="mug", location="LON", quantity=1),)

    assert (await run(hold_stock, hold(mug=1)))[1] == [
        StockHeld(order_id=ORDER, expires_at=NOW + timedelta(seconds=90), allocations=lines)
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"lines": [{"sku": "mug", "quantity": quantity}]} for quantity in (0, -1, 1.5, True, "1", 10**13, None)),
        *({"lines": [{"sku": sku, "quantity": 1}]} for sku in ("", "a\x00b", " ", "x" * 65, None)),
        *({"expires_in_s": seconds} for seconds in (0, -1, 10**18, None)),
        *({"allocation": "nearest"}, {"ship_to": "GBR"}, {"ship_to": "gb"}, {"partial": None}),
    ],
)
def test_what_is_no_command(wrong: dict[str, Any]) -> None:
    """Refused before it reaches a function: such an event goes to the dead letters at once."""
    right = {"order_id": str(ORDER), "lines": [{"sku": "mug", "quantity": 1}], "expires_in_s": 60}
    HoldStock.model_validate_json(json.dumps(right))
    with pytest.raises(ValueError, match="validation error"):
        HoldStock.model_validate_json(json.dumps({**right, **wrong}))
