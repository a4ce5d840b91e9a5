"""The terms of a level, the stock of many SKUs at once, and what each entry of the ledger says."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.check_availability import check_availability
from functions.inventory.check_stock import check_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.get_stock import get_stock
from functions.inventory.hold_stock import hold_stock
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import CommitHold, LevelChanged, ShipHold
from shared.inventory.items import lock_items
from shared.inventory.ledger import REASONS, Change, LedgerEntry, book
from shared.runtime.serve import Runtime
from shared.runtime.work import Cause, Fixed, unit_of_work
from tests.conftest import ADMIN, NOW, Ask, Books, Run, declaration_of, delivered
from tests.functions.inventory.conftest import ORDER, Stocked, hold, level

AS_ADMIN = ("admin",)
POLICY = "/v1/stock/mug/LON/policy"


async def test_what_a_level_policy_leaves_out_stays(ask: Ask, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=8)

    async def put(**body: Any) -> tuple[int, int, int, int | None]:
        answer = await ask(set_level_policy, POLICY, body, roles=AS_ADMIN)
        assert answer.status == 200, answer
        shown = json.loads(answer.body)
        row = await db.one("select safety_stock, backorder_limit, low_at, version from inventory.stock")
        assert (shown["safety_stock"], shown["backorder_limit"], shown["version"]) == (row[0], row[1], row[3])
        return shown["safety_stock"], shown["backorder_limit"], shown["available"], row.low_at

    assert await put() == (0, 0, 8, None)
    assert await put(safety_stock=3) == (3, 0, 5, None)
    assert await put(backorder_limit=9, low_at=4) == (3, 9, 5, 4)
    assert await put(safety_stock=0) == (0, 9, 8, 4)
    assert await put(low_at=None) == (0, 9, 8, None)
    assert await put(safety_stock=None, backorder_limit=None) == (0, 9, 8, None)


async def test_a_level_policy_may_come_before_the_stock(ask: Ask, stocked: Stocked, run: Run) -> None:
    answer = await ask(set_level_policy, POLICY, {"backorder_limit": 2}, roles=AS_ADMIN)
    assert (answer.status, json.loads(answer.body)["on_hand"]) == (200, 0)
    shown = json.loads((await ask(get_stock, "/v1/stock/mug", roles=AS_ADMIN)).body)
    assert (shown["status"], shown["backorder_limit"], shown["available"]) == ("backorder", 2, 0)


async def test_a_level_policy_needs_an_open_location_and_an_admin(ask: Ask, stocked: Stocked, db: Books) -> None:
    assert (await ask(set_level_policy, POLICY, {}, roles=("service",))).status == 403
    assert (await ask(set_level_policy, "/v1/stock/mug/OSLO/policy", {}, roles=AS_ADMIN)).status == 404
    await db.run("update inventory.locations set closed_at = now() where id = 'LON'")
    assert (await ask(set_level_policy, POLICY, {}, roles=AS_ADMIN)).status == 404


async def test_the_largest_terms_do_not_overflow(ask: Ask, run: Run, stocked: Stocked, db: Books) -> None:
    most = 10**9
    for location in ("LON", "LEEDS"):
        await stocked("mug", location, most)
        body = {"backorder_limit": most, "low_at": most}
        assert (await ask(set_level_policy, f"/v1/stock/mug/{location}/policy", body, roles=AS_ADMIN)).status == 200
    await run(set_item_policy, SetItemPolicy(sku="mug", low_at=most), caller=ADMIN)
    await run(hold_stock, hold(mug=4 * most))
    shown = json.loads((await ask(get_stock, "/v1/stock/mug", roles=AS_ADMIN)).body)
    assert (shown["on_hand"], shown["held"], shown["backorder_limit"]) == (2 * most, 4 * most, 2 * most)
    assert shown["status"] == "out_of_stock"


def asked(*skus: str) -> str:
    return "&".join(f"sku={sku}" for sku in skus)


async def test_many_skus_are_checked_at_once(ask: Ask, run: Run, stocked: Stocked) -> None:
    await stocked("tea", "LEEDS", 3)
    await stocked("mug", "LON", 9)
    await run(hold_stock, hold(mug=2))
    await run(set_item_policy, SetItemPolicy(sku="gift", tracked=False), caller=ADMIN)
    answer = await ask(check_stock, f"/v1/stock?{asked('tea', 'hat', 'mug', 'gift', 'tea')}", roles=("service",))
    shown = json.loads(answer.body)

    assert shown["unknown"] == ["hat"]
    assert [(item["sku"], item["available"], item["status"], item["tracked"]) for item in shown["items"]] == [
        ("gift", 0, "in_stock", False),
        ("mug", 7, "in_stock", True),
        ("tea", 3, "low", True),
    ]
    for item in shown["items"]:
        alone = json.loads((await ask(get_stock, f"/v1/stock/{item['sku']}", roles=("service",))).body)
        assert alone == item


async def test_anybody_may_ask_whether_there_is_some_but_not_how_many(ask: Ask, run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=9)
    await stocked("tea", on_hand=1)
    await stocked("cup", on_hand=0)
    await run(set_level_policy, SetLevelPolicy(sku="cup", location="LON", backorder_limit=1), caller=ADMIN)
    answer = await ask(check_availability, f"/v1/availability?{asked('tea', 'mug', 'hat', 'cup', 'mug')}")

    assert json.loads(answer.body) == {
        "items": [
            {"sku": "cup", "status": "backorder"},
            {"sku": "hat", "status": "out_of_stock"},
            {"sku": "mug", "status": "in_stock"},
            {"sku": "tea", "status": "low"},
        ]
    }
    assert "max-age=5" in answer.headers["cache-control"]


@pytest.mark.parametrize("function", [check_stock, check_availability])
async def test_what_cannot_be_checked(ask: Ask, function: Callable[..., Any]) -> None:
    path = declaration_of(function).trigger.path  # type: ignore[union-attr]
    for query in ("", "sku=", "sku=%00", "sku=" + "x" * 65, asked(*(f"s{n}" for n in range(101)))):
        assert (await ask(function, f"{path}?{query}", roles=AS_ADMIN)).status == 422, query
    assert (await ask(function, f"{path}?{asked(*(f's{n}' for n in range(100)))}", roles=AS_ADMIN)).status == 200
    assert (await ask(check_stock, f"/v1/stock?{asked('mug')}", roles=("customer",))).status == 403


BY_HAND = {
    **dict.fromkeys(REASONS, "StockAdjusted"),
    "received": "StockReceived",
    "returned": "StockReceived",
}
BY_THE_SHOP = {
    "transfer_out": "StockTransferred",
    "transfer_in": "StockTransferred",
    "transfer_back": "StockTransferred",
    "reconciliation": "StockAdjusted",
}


@pytest.mark.parametrize(("reason", "told"), BY_HAND.items())
async def test_each_reason_is_told_by_its_event(run: Run, stocked: Stocked, reason: Any, told: str) -> None:
    await stocked("mug", on_hand=9)
    request = AdjustStock(sku="mug", location="LON", delta=-1, reason=reason, note="shelf 4")
    entry, emitted = await run(adjust_stock, request, caller=ADMIN)

    assert [type(event).__name__ for event in emitted] == [told]
    assert (emitted[0].reason, emitted[0].ledger_id, emitted[0].on_hand) == (reason, entry.id, 8)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("reason", "told"), BY_THE_SHOP.items())
async def test_each_cause_is_told_by_its_event(runtime: Runtime, stocked: Stocked, reason: Any, told: str) -> None:
    await stocked("mug", on_hand=9)
    of_transfer = UUID(int=9) if reason.startswith("transfer") else None
    async with unit_of_work(runtime.database, declaration_of(ship_hold), ADMIN, Cause("test")) as work:
        items = await lock_items(work, ["mug"])
        (entry,) = await book(work, items, [Change(items["mug"].levels[0], -1, reason, transfer=of_transfer)])
        (event,) = work.emitted
        assert isinstance(event, LevelChanged)
        assert (type(event).__name__, event.reason) == (told, reason)
        assert (event.transfer, entry.transfer, entry.reason) == (of_transfer, of_transfer, reason)


def test_no_cause_is_without_a_test() -> None:
    from typing import get_args  # beside its only use

    from shared.inventory.ledger import Cause as Why

    causes = {one for part in get_args(Why) for one in (get_args(part) or (part,))}
    assert causes == BY_HAND.keys() | BY_THE_SHOP.keys() | {"shipped"}  # which test_shipments.py is about


async def test_an_entry_knows_the_event_and_the_order_that_made_it(
    endpoint_of: Callable[..., Any], run: Run, ask: Ask, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=9)
    await run(hold_stock, hold(mug=2))
    await run(commit_hold, CommitHold(order_id=ORDER))
    headers, body = delivered(ShipHold(order_id=ORDER, part_id=UUID(int=1)), id="the-shipment")
    answer = await endpoint_of(ship_hold).handle("POST", "/", b"", headers, body)
    assert answer.status == 204

    entry = await db.one("select * from inventory.ledger order by id desc limit 1")
    assert (entry.reason, entry.delta, entry.on_hand, entry.order_id) == ("shipped", -2, 7, ORDER)
    assert entry.event == "the-shipment"
    assert entry.cause
    assert await level(db, "mug") == (7, 0, 0, 0)


async def test_entries_of_a_level_follow_each_other_in_time_whatever_their_transactions_clocks(
    runtime: Runtime, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=9)

    async def adjusted(seconds: int, at: datetime | None = None) -> LedgerEntry:
        fixed = Fixed(NOW + timedelta(seconds=seconds), lambda: UUID(int=1))
        request = AdjustStock(sku="mug", location="LON", delta=1, reason="found", at=at)
        declaration = declaration_of(adjust_stock)
        async with unit_of_work(runtime.database, declaration, ADMIN, Cause("test"), fixed=fixed) as work:
            return await adjust_stock(request, work)

    moved = datetime(2020, 1, 1, tzinfo=UTC)
    entries = [await adjusted(30), await adjusted(10), await adjusted(20, moved), await adjusted(40)]
    seconds = [(entry.recorded_at - NOW).total_seconds() for entry in entries]
    assert seconds == [30, 30, 30, 40]
    assert [entry.at for entry in entries] == [*(entry.recorded_at for entry in entries[:2]), moved, entries[3].at]
    assert await db.value("select changed_at from inventory.stock") == entries[3].recorded_at


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
async def test_goods_moved_at_the_ends_of_time(ask: Ask, stocked: Stocked, at: str) -> None:
    body = {"delta": 1, "reason": "found", "at": at}
    answer = await ask(adjust_stock, "/v1/stock/mug/LON/adjustments", body, roles=AS_ADMIN, idempotency_key="k")
    assert answer.status in (201, 422), answer
