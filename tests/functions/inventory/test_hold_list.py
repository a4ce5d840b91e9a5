"""Holds are found by status, age, SKU and location, shown whole, and made to last or to end by hand."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.inventory.commit_hold import commit_hold
from functions.inventory.expire_holds import expire_holds
from functions.inventory.get_hold import get_hold
from functions.inventory.hold_stock import hold_stock
from functions.inventory.list_holds import list_holds
from functions.inventory.release_hold import release_hold
from functions.inventory.release_hold_part import release_hold_part
from functions.inventory.set_hold_expiry import SetHoldExpiry, set_hold_expiry
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import (
    CommitHold,
    HoldExpired,
    HoldExtended,
    PartLine,
    ReleaseHold,
    ReleasePart,
    ShipHold,
    StockReplenished,
)
from shared.inventory.problems import HoldNotHeld, UnknownHold
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level

AS_OPERATOR = ("operator",)


@pytest.fixture
async def held(run: Run, stocked: Stocked) -> None:
    """Orders 0 to 9, made one after the other, in pairs at the same moment; some are committed, released or shipped."""
    await stocked("mug", "LON", 40)
    await stocked("tea", "LEEDS", 40)
    for number in range(10):
        quantities = {"mug": 1} if number % 3 else {"mug": 2, "tea": 1}
        await run(hold_stock, hold(UUID(int=number), **quantities), now=NOW + timedelta(seconds=number // 2))
    for number in (2, 5, 8):
        await run(commit_hold, CommitHold(order_id=UUID(int=number)))
    await run(release_hold, ReleaseHold(order_id=UUID(int=4)))
    await run(ship_hold, ShipHold(order_id=UUID(int=8), part_id=UUID(int=80)))
    await run(hold_stock, hold(UUID(int=10), mug=99))


async def listed(ask: Ask, query: str = "", limit: int = 3) -> list[int]:
    numbers: list[int] = []
    cursor = ""
    while True:
        answer = await ask(list_holds, f"/v1/holds?limit={limit}&{query}{cursor}", roles=AS_OPERATOR)
        assert answer.status == 200, answer
        page = json.loads(answer.body)
        numbers += [UUID(one["order_id"]).int for one in page["items"]]
        if page["next_cursor"] is None:
            return numbers
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 5, 6, 7, 9]),
        ("sort=-created_at", [9, 7, 6, 5, 3, 2, 1, 0]),
        ("status=COMMITTED", [2, 5]),
        ("status=HELD&sku=tea", [0, 3, 6, 9]),
        ("sku=tea&location=LON", []),
        ("location=LEEDS", [0, 3, 6, 9]),
        ("sku=mug&location=LON&status=COMMITTED&status=HELD", [0, 1, 2, 3, 5, 6, 7, 9]),
        ("status=RELEASED&status=SHIPPED&status=REJECTED", [10, 4, 8]),
        ("status=EXPIRED", []),
    ],
)
async def test_holds_by_filter(query: str, expected: list[int], held: None, ask: Ask) -> None:
    assert await listed(ask, query) == expected
    assert await listed(ask, query, limit=100) == expected


async def test_holds_by_age(held: None, ask: Ask, db: Books) -> None:
    await db.run(
        "update inventory.holds set created_at = now() - interval '1 hour' where order_id = %(id)s", id=UUID(int=3)
    )
    await db.run("update inventory.holds set created_at = now() where order_id <> %(id)s", id=UUID(int=3))
    assert await listed(ask, "older_than_s=3599") == [3]
    assert await listed(ask, "older_than_s=3700") == []


async def test_a_hold_in_the_list(held: None, ask: Ask) -> None:
    (one,) = json.loads((await ask(list_holds, "/v1/holds?limit=1", roles=("admin",))).body)["items"]
    assert one == {
        "order_id": str(UUID(int=0)), "status": "HELD", "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z", "expires_at": "2026-03-01T12:01:00Z",
        "lines": 2, "quantity": 3, "open": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        "status=held", "older_than_s=-1", "older_than_s=1e9", "older_than_s=99999999999999999999", "sku=%00", "sku=",
        "location=/", "sort=age", "status=SHIPPED&sku=mug", "status=HELD&status=EXPIRED&location=LON", "cursor=x",
        "order_id=1", "limit=0",
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_for(query: str, ask: Ask) -> None:
    assert (await ask(list_holds, f"/v1/holds?{query}", roles=AS_OPERATOR)).status == 422


async def test_a_hold_with_its_lines_and_parts(run: Run, ask: Ask, stocked: Stocked) -> None:
    await stocked("mug", "LON", 5)
    await run(hold_stock, hold(mug=7).model_copy(update={"partial": True}))
    lines = [PartLine(sku="mug", quantity=1)]
    await run(release_hold_part, ReleasePart(order_id=ORDER, part_id=UUID(int=1), lines=lines))
    await run(commit_hold, CommitHold(order_id=ORDER))
    await run(ship_hold, ShipHold(order_id=ORDER, part_id=UUID(int=2), lines=lines), now=NOW + timedelta(seconds=9))
    shown = json.loads((await ask(get_hold, f"/v1/holds/{ORDER}", roles=("admin",))).body)

    assert shown["lines"] == [
        {"sku": "mug", "location": "LON", "quantity": 5, "released": 1, "shipped": 1, "open": 3}
    ]  # fmt: skip
    assert [(part["kind"], part["id"], part["lines"][0]["quantity"]) for part in shown["parts"]] == [
        ("released", str(UUID(int=1)), 1),
        ("shipped", str(UUID(int=2)), 1),
    ]
    assert (shown["status"], shown["expires_at"], shown["shortages"]) == ("COMMITTED", None, {"mug": 2})


async def test_a_hold_that_is_not_there(ask: Ask) -> None:
    for function, path, body in (
        (get_hold, f"/v1/holds/{ORDER}", None),
        (set_hold_expiry, f"/v1/holds/{ORDER}/expiry", {"expires_in_s": 5}),
    ):
        answer = await ask(function, path, body, roles=AS_OPERATOR)
        assert (answer.status, json.loads(answer.body)["type"]) == (404, "urn:kn-shop:problem:unknown-hold")
    assert (await ask(get_hold, "/v1/holds/1", roles=AS_OPERATOR)).status == 422


@pytest.mark.parametrize("seconds", [5, 600, 30 * 86_400])
async def test_a_hold_lasts_as_long_as_is_said(seconds: int, run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await run(hold_stock, hold(mug=2))
    found, emitted = await run(set_hold_expiry, SetHoldExpiry(order_id=ORDER, expires_in_s=seconds), caller=ADMIN)

    until = NOW + timedelta(seconds=seconds)
    assert emitted == [HoldExtended(order_id=ORDER, expires_at=until)]
    assert (found.status, found.expires_at) == ("HELD", until)
    _, emitted = await run(expire_holds, now=until - timedelta(seconds=1))
    assert emitted == []
    await run(expire_holds, now=until)
    assert await level(db, "mug") == (5, 0, 0, 0)


async def test_a_hold_is_ended_by_hand(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=2)
    await run(hold_stock, hold(mug=2))
    found, emitted = await run(set_hold_expiry, SetHoldExpiry(order_id=ORDER, expires_in_s=0), caller=ADMIN)

    replenished = StockReplenished(sku="mug", status="low", was="out_of_stock", available=2, low_at=5)
    assert emitted == [replenished, HoldExpired(order_id=ORDER)]
    assert (found.status, found.expires_at) == ("EXPIRED", NOW)
    assert await level(db, "mug") == (2, 0, 0, 0)
    _, emitted = await run(commit_hold, CommitHold(order_id=ORDER))
    assert emitted == [HoldExpired(order_id=ORDER)]


async def refused(run: Run, seconds: int, now: datetime = NOW) -> HoldNotHeld:
    with pytest.raises(HoldNotHeld) as problem:
        await run(set_hold_expiry, SetHoldExpiry(order_id=ORDER, expires_in_s=seconds), caller=ADMIN, now=now)
    return problem.value


async def test_what_does_not_expire_is_refused(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=2)
    await run(hold_stock, hold(mug=2))
    late = NOW + timedelta(seconds=60)
    assert (await refused(run, 5, late)).hold_status == "HELD"  # its time is over, and the timer has not come yet
    await run(commit_hold, CommitHold(order_id=ORDER))
    for seconds in (0, 5):
        assert (await refused(run, seconds)).hold_status == "COMMITTED"
    assert await level(db, "mug") == (2, 0, 2, 0)


async def test_a_hold_whose_time_is_over_can_be_ended_before_the_timer_comes(
    run: Run, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=2)
    await run(hold_stock, hold(mug=2))
    end = SetHoldExpiry(order_id=ORDER, expires_in_s=0)
    found, _ = await run(set_hold_expiry, end, caller=ADMIN, now=NOW + timedelta(hours=1))
    assert found.expires_at == NOW + timedelta(seconds=60)
    assert (await refused(run, 0)).hold_status == "EXPIRED"
    with pytest.raises(UnknownHold):
        await run(set_hold_expiry, end.model_copy(update={"order_id": OTHER}), caller=ADMIN)
    assert await level(db, "mug") == (2, 0, 0, 0)


@pytest.mark.parametrize("value", [-1, 1.5, "5", True, None, 30 * 86_400 + 1, 10**30])
async def test_what_is_no_time(value: Any, ask: Ask) -> None:
    answer = await ask(set_hold_expiry, f"/v1/holds/{ORDER}/expiry", {"expires_in_s": value}, roles=AS_OPERATOR)
    assert answer.status == 422


async def test_who_may_see_and_end_holds(ask: Ask) -> None:
    for roles in (("customer",), ("service",)):
        assert (await ask(list_holds, "/v1/holds", roles=roles)).status == 403
        assert (await ask(get_hold, f"/v1/holds/{ORDER}", roles=roles)).status == 403
        answer = await ask(set_hold_expiry, f"/v1/holds/{ORDER}/expiry", {"expires_in_s": 0}, roles=roles)
        assert answer.status == 403
