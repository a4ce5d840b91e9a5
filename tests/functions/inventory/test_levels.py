"""Stock changes by recount or adjustment, never without a ledger entry, and a shortfall is recorded, not refused."""

import asyncio
import json

import psycopg
import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.get_stock import get_stock
from functions.inventory.hold_stock import hold_stock
from functions.inventory.list_ledger import list_ledger
from functions.inventory.release_hold import release_hold
from functions.inventory.set_item_policy import set_item_policy
from functions.inventory.set_stock_level import SetStockLevel, set_stock_level
from shared.inventory.events import HoldRejected, ReleaseHold, StockAdjusted
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level

AS_ADMIN = ("admin",)
RECOUNT = {"on_hand": 3, "reason": "recount"}


async def test_a_recount_sets_the_level_and_says_so(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    request = SetStockLevel(sku="mug", location="LON", on_hand=3, reason="damaged", note="shelf 4")
    found, emitted = await run(set_stock_level, request, caller=ADMIN)

    entry = (await db.all("select * from inventory.ledger order by id"))[-1]
    assert (entry.delta, entry.on_hand, entry.reason, entry.actor, entry.note) == (
        -2,
        3,
        "damaged",
        "admin-1",
        "shelf 4",
    )
    assert emitted == [
        StockAdjusted(
            **found.model_dump(),
            delta=-2,
            ledger_id=entry.id,
            reason="damaged",
            actor="admin-1",
            at=NOW,
            sku_available=3,
            status="low",
        )
    ]
    assert (found.on_hand, found.available, found.version) == (3, 3, 2)


async def test_the_same_level_again_changes_nothing(run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=3)
    request = SetStockLevel(sku="mug", location="LON", on_hand=3, reason="recount")
    found, emitted = await run(set_stock_level, request, caller=ADMIN)

    assert (found.on_hand, found.version, emitted) == (3, 1, [])
    assert await db.value("select count(*) from inventory.ledger") == 1


async def test_a_recount_below_what_is_held_is_a_shortfall_until_it_is_made_good(
    run: Run, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=5)
    await run(hold_stock, hold(mug=4))
    await stocked("mug", on_hand=1)
    assert await level(db, "mug") == (1, 4, 0, 3)

    _, emitted = await run(hold_stock, hold(OTHER, mug=1))
    assert emitted == [HoldRejected(order_id=OTHER, shortages={"mug": 1})]

    await run(adjust_stock, AdjustStock(sku="mug", location="LON", delta=2, reason="received"), caller=ADMIN)
    assert await level(db, "mug") == (3, 4, 0, 1)
    await run(release_hold, ReleaseHold(order_id=ORDER))
    assert await level(db, "mug") == (3, 0, 0, 0)


async def test_an_adjustment_is_made_once_per_key(ask: Ask, stocked: Stocked, db: Books) -> None:
    path, body = "/v1/stock/mug/LON/adjustments", {"delta": 7, "reason": "received", "at": "2010-12-01T08:26:00Z"}
    first, again = [await ask(adjust_stock, path, body, roles=AS_ADMIN, idempotency_key="k") for _ in range(2)]

    assert (first.status, first.body) == (201, again.body)
    entry = json.loads(first.body)
    assert (entry["delta"], entry["on_hand"], entry["at"]) == (7, 7, "2010-12-01T08:26:00Z")
    assert await level(db, "mug") == (7, 0, 0, 0)
    assert (await ask(adjust_stock, path, body, roles=AS_ADMIN)).status == 400


async def test_no_more_is_taken_than_is_there(ask: Ask, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=2)
    body = {"delta": -3, "reason": "damaged"}
    answer = await ask(adjust_stock, "/v1/stock/mug/LON/adjustments", body, roles=AS_ADMIN, idempotency_key="k")

    assert (answer.status, json.loads(answer.body)["type"]) == (409, "urn:kn-shop:problem:insufficient-stock")
    assert json.loads(answer.body)["on_hand"] == 2
    assert await level(db, "mug") == (2, 0, 0, 0)


@pytest.mark.parametrize(
    "body", [{"delta": 0}, {"delta": 1.5}, {"delta": True}, {"delta": 1, "at": "2126-01-01T00:00Z"}]
)
async def test_what_is_no_adjustment(ask: Ask, stocked: Stocked, body: dict[str, object]) -> None:
    path = "/v1/stock/mug/LON/adjustments"
    answer = await ask(adjust_stock, path, {"reason": "correction", **body}, roles=AS_ADMIN, idempotency_key="k")

    assert answer.status == 422


async def test_only_open_locations_take_stock(ask: Ask, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LEEDS", 1)
    await db.run("update inventory.locations set closed_at = now() where id = 'LEEDS'")

    for location in ("LEEDS", "nowhere"):
        answer = await ask(set_stock_level, f"/v1/stock/mug/{location}", RECOUNT, roles=AS_ADMIN)
        assert (answer.status, json.loads(answer.body)["type"]) == (404, "urn:kn-shop:problem:unknown-location")
    shown = json.loads((await ask(get_stock, "/v1/stock/mug", roles=AS_ADMIN)).body)
    assert (shown["on_hand"], shown["available"]) == (1, 0)


async def test_stock_is_shown_in_all_and_by_location(ask: Ask, run: Run, stocked: Stocked) -> None:
    await stocked("mug", "LEEDS", 2)
    await stocked("mug", "LON", 3)
    await run(hold_stock, hold(mug=1))
    shown = await ask(get_stock, "/v1/stock/mug", roles=("service",))

    none = {"incoming": 0, "safety_stock": 0, "backorder_limit": 0, "shortfall": 0}
    assert json.loads(shown.body) == {
        "sku": "mug", "tracked": True, "status": "low", "low_at": 5,
        "on_hand": 5, "held": 1, "committed": 0, "available": 4, **none,
        "locations": [
            {"location": "LON", "on_hand": 3, "held": 1, "committed": 0, "available": 2, **none},
            {"location": "LEEDS", "on_hand": 2, "held": 0, "committed": 0, "available": 2, **none},
        ],
    }  # fmt: skip


async def test_an_item_is_known_by_its_stock_or_its_policy(ask: Ask) -> None:
    assert (await ask(get_stock, "/v1/stock/gift", roles=AS_ADMIN)).status == 404
    for tracked in (True, False, False):
        answer = await ask(set_item_policy, "/v1/items/gift", {"tracked": tracked}, roles=AS_ADMIN)
        assert (answer.status, json.loads(answer.body)) == (200, {"sku": "gift", "tracked": tracked, "low_at": 5})
    shown = json.loads((await ask(get_stock, "/v1/stock/gift", roles=AS_ADMIN)).body)
    assert (shown["tracked"], shown["status"], shown["on_hand"], shown["locations"]) == (False, "in_stock", 0, [])


async def test_the_ledger_is_listed_newest_first(ask: Ask, stocked: Stocked) -> None:
    for on_hand in (1, 4, 2):
        await stocked("mug", on_hand=on_hand)
    await stocked("tea", on_hand=9)
    first = json.loads((await ask(list_ledger, "/v1/stock/mug/ledger?limit=2", roles=AS_ADMIN)).body)
    path = f"/v1/stock/mug/ledger?limit=2&cursor={first['next_cursor']}"
    second = json.loads((await ask(list_ledger, path, roles=AS_ADMIN)).body)

    assert [(entry["delta"], entry["on_hand"]) for entry in first["items"] + second["items"]] == [
        (-2, 2),
        (3, 4),
        (1, 1),
    ]
    assert second["next_cursor"] is None


async def test_the_ledger_is_never_rewritten(stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=1)
    for change in (
        "update inventory.ledger set delta = 2",
        "delete from inventory.ledger",
        "truncate inventory.ledger",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            await db.run(change)


async def test_only_admins_change_stock(ask: Ask) -> None:
    assert (await ask(set_stock_level, "/v1/stock/mug/LON", RECOUNT, roles=("customer", "service"))).status == 403
    assert (await ask(get_stock, "/v1/stock/mug", roles=("customer",))).status == 403


async def test_adjustments_at_once_add_up(ask: Ask, stocked: Stocked, db: Books) -> None:
    answers = await asyncio.gather(*(
        ask(
            adjust_stock, "/v1/stock/mug/LON/adjustments", {"delta": 2, "reason": "received"},
            roles=AS_ADMIN, idempotency_key=str(number),
        )
        for number in range(30)
    ))  # fmt: skip

    assert {answer.status for answer in answers} == {201}
    assert sorted(json.loads(answer.body)["on_hand"] for answer in answers) == list(range(2, 62, 2))
    assert await level(db, "mug") == (60, 0, 0, 0)
