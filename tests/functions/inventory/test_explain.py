"""Each unit of the counts is explained: by the entries that brought it, the orders it is promised to, the transfers."""

import json
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.explain_stock import ExplainStock, Why, explain_stock
from functions.inventory.hold_stock import hold_stock
from functions.inventory.list_shortfalls import list_shortfalls
from functions.inventory.release_hold import release_hold
from functions.inventory.release_hold_part import release_hold_part
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import CommitHold, PartLine, ReleaseHold, ReleasePart, ShipHold
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold

AS_OPERATOR = ("operator",)
ZERO = {"on_hand": 0, "held": 0, "committed": 0}


async def explained(ask: Ask, sku: str = "mug", **query: int) -> dict[str, Any]:
    path = f"/v1/stock/{sku}/why?" + "&".join(f"{name}={value}" for name, value in query.items())
    answer = await ask(explain_stock, path, roles=AS_OPERATOR)
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def adjusted(run: Run, delta: int, reason: Any = "received", sku: str = "mug", at: str = "LON") -> None:
    await run(adjust_stock, AdjustStock(sku=sku, location=at, delta=delta, reason=reason), caller=ADMIN)


async def test_what_is_there_was_brought_by_the_newest_entries(run: Run, ask: Ask, stocked: Stocked) -> None:
    for delta, reason in ((5, "received"), (4, "found"), (-3, "damaged"), (2, "returned"), (-3, "lost")):
        await adjusted(run, delta, reason)
    (at,) = (await explained(ask))["locations"]

    layers = [(layer["quantity"], layer["brought"], layer["reason"], layer["actor"]) for layer in at["brought_by"]]
    assert layers == [(2, 2, "returned", "admin-1"), (3, 4, "found", "admin-1")]
    assert (at["on_hand"], at["brought_before"], at["unexplained"]) == (5, 0, ZERO)
    assert {layer["cause"] for layer in at["brought_by"]} == {"test"}

    (at,) = (await explained(ask, shown=1))["locations"]
    assert ([layer["quantity"] for layer in at["brought_by"]], at["brought_before"]) == ([2], 3)


async def test_promises_are_told_in_the_order_in_which_they_are_served(run: Run, ask: Ask, stocked: Stocked) -> None:
    await run_promises(run, stocked)
    found = await explained(ask)
    (at,) = found["locations"]

    told = [
        (UUID(one["order_id"]).int, one["status"], one["quantity"], one["backordered"], one["short"])
        for one in at["promised_to"]
    ]
    assert told == [(2, "COMMITTED", 3, 0, 0), (1, "HELD", 4, 3, 0), (3, "HELD", 2, 0, 2)]
    assert [one["expires_at"] for one in at["promised_to"]] == [None, "2026-03-01T12:01:00Z", "2026-03-01T12:02:00Z"]
    assert at["promised_to"][1]["since"] == "2026-03-01T12:00:00Z"
    assert at["also_promised"] == {"orders": 0, "held": 0, "committed": 0, "backordered": 0, "short": 0}
    assert (found["on_hand"], found["held"], found["committed"], found["shortfall"]) == (4, 6, 3, 2)
    assert at["policy"] == {
        "safety_stock": 0, "backorder_limit": 3, "withdrawn": False, "low_at": None, "set_at": "2026-03-01T12:00:00Z"
    }  # fmt: skip


async def run_promises(run: Run, stocked: Stocked) -> None:
    """Of 9 units promised 4 are there, and 3 may be back-ordered."""
    await stocked("mug", on_hand=9)
    await run(set_level_policy, SetLevelPolicy(sku="mug", location="LON", backorder_limit=3), caller=ADMIN)
    await run(hold_stock, hold(UUID(int=1), mug=4))
    await run(hold_stock, hold(UUID(int=2), mug=3))
    await run(commit_hold, CommitHold(order_id=UUID(int=2)))
    await run(hold_stock, hold(UUID(int=3), mug=2), now=NOW + timedelta(seconds=60))
    await stocked("mug", on_hand=4)


async def test_what_is_not_listed_is_summed_and_who_waits_is_listed_first(run: Run, ask: Ask, stocked: Stocked) -> None:
    await run_promises(run, stocked)
    (at,) = (await explained(ask, shown=1))["locations"]

    assert [(UUID(one["order_id"]).int, one["backordered"]) for one in at["promised_to"]] == [(1, 3)]
    assert at["also_promised"] == {"orders": 2, "held": 2, "committed": 3, "backordered": 0, "short": 2}
    assert at["unexplained"] == ZERO


async def test_what_is_coming_is_told_by_transfer(ask: Ask, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=1)
    for number, origin in enumerate(("LEEDS", None)):
        await db.run(
            """insert into inventory.transfers
              (id, origin, destination, status, reference, expected_at, actor, created_at, updated_at)
            values (%(id)s, %(origin)s, 'LON', 'in_transit', 'PO-7', %(now)s, 'ann', %(now)s, %(now)s)""",
            id=UUID(int=number),
            origin=origin,
            now=NOW + timedelta(hours=number),
        )
        await db.run(
            """insert into inventory.transfer_lines (transfer_id, sku, quantity, arrived, lost)
            values (%(id)s, 'mug', 10, 3, %(lost)s)""",
            id=UUID(int=number),
            lost=number,
        )
    found = await explained(ask)
    (at,) = found["locations"]

    told = [(one["origin"], one["quantity"], one["actor"]) for one in at["coming_by"]]
    assert told == [("LEEDS", 7, "ann"), (None, 6, "ann")]
    assert (found["incoming"], at["also_coming"]) == (13, 0)
    (at,) = (await explained(ask, shown=1))["locations"]
    assert ([one["quantity"] for one in at["coming_by"]], at["also_coming"]) == ([7], 6)


async def test_what_nothing_explains_is_said(ask: Ask, run: Run, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await run(hold_stock, hold(mug=2))
    await db.run("update inventory.stock set on_hand = 9, held = 1, committed = 1")
    (at,) = (await explained(ask))["locations"]
    assert at["unexplained"] == {"on_hand": 4, "held": -1, "committed": 1}
    await db.run("update inventory.stock set on_hand = 5, held = 2, committed = 0")


async def test_a_sku_that_is_unknown_or_not_tracked(ask: Ask, db: Books) -> None:
    assert (await ask(explain_stock, "/v1/stock/none/why", roles=AS_OPERATOR)).status == 404
    await db.run("insert into inventory.items (sku, tracked, updated_at) values ('gift', false, now())")
    gift = await explained(ask, "gift")
    assert (gift["tracked"], gift["on_hand"], gift["locations"]) == (False, 0, [])
    for shown in ("0", "501", "x"):
        assert (await ask(explain_stock, f"/v1/stock/gift/why?shown={shown}", roles=AS_OPERATOR)).status == 422
    assert (await ask(explain_stock, "/v1/stock/gift/why", roles=("service",))).status == 403


def adds_up(why: Why) -> None:
    for at in why.locations:
        also, held = at.also_promised, [one for one in at.promised_to if one.status == "HELD"]
        assert at.unexplained.model_dump() == ZERO
        assert at.on_hand == sum(layer.quantity for layer in at.brought_by) + at.brought_before
        assert at.held == sum(one.quantity for one in held) + also.held
        assert at.committed == sum(one.quantity for one in at.promised_to if one not in held) + also.committed
        assert at.shortfall == sum(one.short for one in at.promised_to) + also.short
        waits = sum(one.short + one.backordered for one in at.promised_to) + also.short + also.backordered
        assert waits == max(0, at.held + at.committed - at.on_hand)
        assert all(0 < layer.quantity <= layer.brought for layer in at.brought_by)
    for name in ("on_hand", "held", "committed", "shortfall", "available", "incoming"):
        assert getattr(why, name) == sum(getattr(at, name) for at in why.locations)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), shown=st.integers(1, 4))
async def test_sums_are_the_counters_whatever_happens(seed: int, shown: int, run: Run, stocked: Stocked) -> None:
    chance = random.Random(seed)
    sku = f"s{seed}"
    for at in ("LON", "LEEDS"):
        await stocked(sku, at, chance.randint(0, 9))
        limit = chance.randint(0, 5)
        await run(set_level_policy, SetLevelPolicy(sku=sku, location=at, backorder_limit=limit), caller=ADMIN)
    orders: list[UUID] = []
    for step in range(25):
        order = chance.choice(orders) if orders else ORDER
        part = [PartLine(sku=sku, quantity=chance.randint(1, 3))]
        match chance.randrange(8):
            case 0 | 1 | 2:
                orders.append(UUID(int=chance.getrandbits(100)))
                wanted = hold(orders[-1], **{sku: chance.randint(1, 5)}).model_copy(update={"partial": True})
                await run(hold_stock, wanted, now=NOW + timedelta(seconds=chance.randint(0, 5)))
            case 3:
                await run(commit_hold, CommitHold(order_id=order))
            case 4:
                await run(ship_hold, ShipHold(order_id=order, part_id=UUID(int=chance.getrandbits(120)), lines=part))
            case 5:
                await run(
                    release_hold_part,
                    ReleasePart(order_id=order, part_id=UUID(int=chance.getrandbits(120)), lines=part),
                )
            case 6:
                await run(release_hold, ReleaseHold(order_id=order))
            case _:
                await stocked(sku, chance.choice(("LON", "LEEDS")), chance.randint(0, 12))
        if step % 4 == 0:
            why, _ = await run(explain_stock, ExplainStock(sku=sku, shown=shown), caller=ADMIN)
            adds_up(why)


async def test_shortfalls_are_told_with_the_orders_that_wait(run: Run, ask: Ask, stocked: Stocked, db: Books) -> None:
    await run_promises(run, stocked)
    for sku in ("tea", "jug"):
        await stocked(sku, "LEEDS", 3)
    await run(hold_stock, hold(ORDER, tea=3, jug=3))
    for sku in ("tea", "jug"):
        await stocked(sku, "LEEDS", 1)
    first = json.loads((await ask(list_shortfalls, "/v1/shortfalls?limit=2", roles=AS_OPERATOR)).body)
    second = json.loads(
        (await ask(list_shortfalls, f"/v1/shortfalls?limit=2&cursor={first['next_cursor']}", roles=AS_OPERATOR)).body
    )
    told = {(one["sku"], one["location"]): one for one in first["items"] + second["items"]}

    assert {key: one["shortfall"] for key, one in told.items()} == {
        ("jug", "LEEDS"): 2, ("mug", "LON"): 2, ("tea", "LEEDS"): 2,
    }  # fmt: skip
    assert second["next_cursor"] is None
    mug = told["mug", "LON"]
    assert (mug["on_hand"], mug["held"], mug["committed"], mug["backorder_limit"], mug["orders"]) == (4, 6, 3, 3, 1)
    (waiting,) = mug["waiting"]
    assert (UUID(waiting["order_id"]).int, waiting["status"], waiting["quantity"], waiting["short"]) == (
        3,
        "HELD",
        2,
        2,
    )
    began = await db.one(
        "select now() - short_since < interval '1 minute' as just, short_since from inventory.stock where sku = 'mug'"
    )
    assert began.just

    await stocked("mug", on_hand=5)
    assert await db.value("select short_since from inventory.stock where sku = 'mug'") == began.short_since
    await stocked("mug", on_hand=6)
    of_london = json.loads((await ask(list_shortfalls, "/v1/shortfalls?location=LON", roles=AS_OPERATOR)).body)
    assert of_london["items"] == []
    assert await db.value("select short_since from inventory.stock where sku = 'mug'") is None


@pytest.mark.parametrize("query", ["location=%20", "limit=0", "cursor=WyJtdWciXQ", "sku=mug"])
async def test_shortfalls_that_cannot_be_asked_for(query: str, ask: Ask) -> None:
    assert (await ask(list_shortfalls, f"/v1/shortfalls?{query}", roles=AS_OPERATOR)).status == 422
    assert (await ask(list_shortfalls, "/v1/shortfalls", roles=("customer",))).status == 403


async def test_at_a_shortfall_all_are_counted_and_few_named(run: Run, ask: Ask, stocked: Stocked) -> None:
    await stocked("mug", on_hand=25)
    for number in range(25):
        await run(hold_stock, hold(UUID(int=500 + number), mug=1), now=NOW + timedelta(seconds=number))
    await stocked("mug", on_hand=0)
    (short,) = json.loads((await ask(list_shortfalls, "/v1/shortfalls", roles=AS_OPERATOR)).body)["items"]

    assert (short["shortfall"], short["orders"], len(short["waiting"])) == (25, 25, 20)
    assert UUID(short["waiting"][0]["order_id"]).int == 524  # the newest waits longest
    assert OTHER not in {UUID(one["order_id"]) for one in short["waiting"]}
