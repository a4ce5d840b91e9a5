"""Whatever was done to the stock past the functions, the reconciliation says so, says why, and puts it right."""

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.get_hold import get_hold
from functions.inventory.hold_stock import hold_stock
from functions.inventory.reconcile_stock import ReconcileStock, reconcile_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.release_hold_part import release_hold_part
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.ship_hold import ship_hold
from shared.inventory.differences import CAUSES
from shared.inventory.events import (
    CommitHold,
    HoldReleased,
    PartLine,
    ReleaseHold,
    ReleasePart,
    ShipHold,
    StockAdjusted,
    StockDepleted,
    StockShortfall,
)
from shared.runtime.auth import Caller
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level

OPERATOR = Caller("operator-1", frozenset({"public", "operator"}))
HAND = """
insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, at, recorded_at)
values ('mug', 'LON', %(delta)s, %(on_hand)s, 'found', 'somebody', now(), now())
"""
RELEASED = "update inventory.hold_lines set released = 1 where sku = 'mug' and quantity = 4;"
SET = "update inventory.stock set {} where sku = 'mug' and location = 'LON'"


@pytest.fixture
async def shelf(run: Run, stocked: Stocked) -> None:
    """20 mugs, of which 4 are held and 3 committed, and 10 teas."""
    await stocked("mug", on_hand=20)
    await stocked("mug", "LEEDS", on_hand=2)
    await stocked("tea", on_hand=10)
    await run(hold_stock, hold(ORDER, mug=4))
    await run(hold_stock, hold(OTHER, mug=3, tea=1))
    await run(commit_hold, CommitHold(order_id=OTHER))


async def reconciled(ask: Ask, mend: str = "none", limit: int = 200) -> list[dict[str, Any]]:
    """All differences, batch by batch."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        body = {"mend": mend, "limit": limit, "after": after}
        answer = await ask(reconcile_stock, "/v1/admin/stock-reconciliation", body, roles=("operator",))
        assert answer.status == 200, answer
        batch = json.loads(answer.body)
        found += batch["differences"]
        after = batch["after"]
    return found


def brief(found: list[dict[str, Any]]) -> list[tuple[str, Any, Any, str]]:
    return sorted((one["what"], one["found"], one["expected"], one["cause"]) for one in found)


async def test_nothing_differs_whatever_functions_did(shelf: None, run: Run, ask: Ask) -> None:
    await run(
        release_hold_part, ReleasePart(order_id=ORDER, part_id=UUID(int=1), lines=[PartLine(sku="mug", quantity=1)])
    )
    await run(ship_hold, ShipHold(order_id=OTHER, part_id=UUID(int=2), lines=[PartLine(sku="mug", quantity=2)]))
    policy = SetLevelPolicy(sku="mug", location="LON", low_at=15, backorder_limit=3, safety_stock=1)
    await run(set_level_policy, policy, caller=ADMIN)
    await run(adjust_stock, AdjustStock(sku="mug", location="LON", delta=-17, reason="stolen"), caller=ADMIN)

    assert await reconciled(ask) == []
    assert await reconciled(ask, "ledger", limit=1) == []
    await run(release_hold, ReleaseHold(order_id=OTHER))
    await run(release_hold, ReleaseHold(order_id=ORDER))
    assert await reconciled(ask, "counters") == []


CHANGED, HAND_WRITTEN, BROKEN = "counter_changed", "entry_by_hand", "entries_do_not_follow"
ENDED, MOVED, EARLY = "hold_ended_without_giving_back", "hold_moved_without_its_stock", "line_closed_too_early"
LOW = ("status", "in_stock", "low", "follows_the_counters")


@pytest.mark.parametrize(
    ("harm", "differs", "counters", "ledger"),
    [
        (SET.format("on_hand = 25"), [("on_hand", 25, 20, CHANGED)], (20, 4, 3), (25, 4, 3)),
        (SET.format("on_hand = 0, shortfall = 7"), [("on_hand", 0, 20, CHANGED), LOW], (20, 4, 3), (0, 4, 3)),
        (SET.format("held = 5"), [("held", 5, 4, CHANGED)], (20, 4, 3), (20, 4, 3)),
        (SET.format("held = 0"), [("held", 0, 4, CHANGED)], (20, 4, 3), (20, 4, 3)),
        (SET.format("committed = 1"), [("committed", 1, 3, CHANGED)], (20, 4, 3), (20, 4, 3)),
        (
            SET.format("held = 1, committed = 1, on_hand = 19"),
            [("committed", 1, 3, CHANGED), ("held", 1, 4, CHANGED), ("on_hand", 19, 20, CHANGED)],
            (20, 4, 3),
            (19, 4, 3),
        ),
        (HAND % {"delta": 5, "on_hand": 25}, [("on_hand", 20, 25, HAND_WRITTEN)], (25, 4, 3), (20, 4, 3)),
        (
            HAND % {"delta": -1, "on_hand": 77},
            [("entries", 1, 0, BROKEN), ("on_hand", 20, 19, BROKEN)],
            (19, 4, 3),
            (20, 4, 3),
        ),
        (
            HAND % {"delta": -1, "on_hand": 77} + ";" + HAND % {"delta": 1, "on_hand": 20},
            [("entries", 2, 0, BROKEN)],
            (20, 4, 3),
            (20, 4, 3),
        ),
        (
            "update inventory.holds set status = 'EXPIRED' where status = 'HELD'",
            [("ended_lines", 4, 0, ENDED), ("held", 4, 0, ENDED)],
            (20, 0, 3),
            (20, 0, 3),
        ),
        (
            "update inventory.holds set status = 'RELEASED' where status = 'COMMITTED'",
            [(what, units, 0, ENDED) for what in ("committed", "ended_lines") for units in (1, 3)],
            (20, 4, 0),
            (20, 4, 0),
        ),
        (
            "update inventory.holds set status = 'COMMITTED' where status = 'HELD'",
            [("committed", 3, 7, MOVED), ("held", 4, 0, MOVED)],
            (20, 0, 7),
            (20, 0, 7),
        ),
        (
            "update inventory.hold_lines set released = 1 where sku = 'mug' and quantity = 4",
            [("parts", 1, 0, EARLY)],
            (20, 4, 3),
            (20, 4, 3),
        ),
        (
            "update inventory.hold_lines set released = 4 where sku = 'mug' and quantity = 4",
            [("parts", 4, 0, EARLY)],
            (20, 4, 3),
            (20, 4, 3),
        ),
        (
            "update inventory.hold_lines set shipped = 2 where sku = 'mug' and quantity = 3",
            [("parts", 2, 0, EARLY)],
            (20, 4, 3),
            (20, 4, 3),
        ),
        (
            RELEASED + SET.format("held = 3"),
            [("parts", 1, 0, "line_without_part")],
            (20, 3, 3),
            (20, 3, 3),
        ),
        (
            "alter table inventory.stock drop constraint stock_not_oversold;" + SET.format("shortfall = 9"),
            [("shortfall", 9, 0, "check_was_removed")],
            (20, 4, 3),
            (20, 4, 3),
        ),
        (
            "update inventory.items set status = 'backorder' where sku = 'mug'",
            [("status", "backorder", "in_stock", "status_changed")],
            (20, 4, 3),
            (20, 4, 3),
        ),
        (
            "delete from inventory.items where sku = 'mug'",
            [("item", "missing", "there", "stock_without_item")],
            (20, 4, 3),
            (20, 4, 3),
        ),
    ],
)
@pytest.mark.parametrize("mend", ["counters", "ledger"])
async def test_harm_is_told_with_its_cause_and_mended(
    harm: str,
    differs: list[tuple[str, Any, Any, str]],
    counters: tuple[int, int, int],
    ledger: tuple[int, int, int],
    mend: str,
    shelf: None,
    ask: Ask,
    db: Books,
) -> None:
    for statement in harm.split(";"):
        await db.run(statement)

    found = await reconciled(ask)
    assert brief(found) == sorted(differs)
    assert not any(one["mended"] for one in found)
    assert all(one["means"] == CAUSES[one["cause"]] for one in found)

    mended = await reconciled(ask, mend, limit=1)
    assert brief(mended) == sorted(differs)
    assert all(one["mended"] for one in mended)
    assert await reconciled(ask) == []
    assert (await level(db, "mug"))[:3] == (counters if mend == "counters" else ledger)
    remembered = await db.all("select what, found, expected, cause, mend, actor from inventory.mendings")
    assert sorted(tuple(row)[:4] for row in remembered) == sorted(differs)
    assert {(row.mend, row.actor) for row in remembered} == {(mend, "customer-1")}


async def test_what_is_there_can_be_entered_and_is_said(shelf: None, run: Run, db: Books) -> None:
    await db.run(SET.format("on_hand = 12"))
    found, emitted = await run(reconcile_stock, ReconcileStock(mend="ledger"), caller=OPERATOR)

    entry = await db.one("select * from inventory.ledger order by id desc limit 1")
    assert (entry.delta, entry.on_hand, entry.reason, entry.actor) == (-8, 12, "reconciliation", "operator-1")
    assert entry.note == CAUSES["counter_changed"]
    (said,) = emitted
    assert isinstance(said, StockAdjusted)
    assert (said.delta, said.on_hand, said.held, said.committed, said.ledger_id) == (-8, 12, 4, 3, entry.id)
    assert (said.reason, said.actor, said.available, said.sku_available) == ("reconciliation", "operator-1", 5, 7)
    assert said.version == await db.value("select version from inventory.stock where sku = 'mug' and location = 'LON'")
    assert [one.mended for one in found.differences] == [True]


async def test_what_counters_mean_for_status_and_shortfall_is_told(shelf: None, run: Run, db: Books) -> None:
    await run(adjust_stock, AdjustStock(sku="tea", location="LON", delta=-9, reason="stolen"), caller=ADMIN)
    await db.run("update inventory.stock set committed = 0 where sku = 'tea'")
    await db.run("update inventory.items set status = 'low' where sku = 'tea'")
    _, emitted = await run(reconcile_stock, ReconcileStock(mend="counters"), caller=OPERATOR)
    assert [type(event) for event in emitted] == [StockAdjusted, StockDepleted]

    await db.run("update inventory.stock set on_hand = 9 where sku = 'tea'")
    await db.run("update inventory.items set status = 'in_stock' where sku = 'tea'")
    await db.run("insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, at, recorded_at)"
                 " values ('tea', 'LON', -1, 0, 'stolen', 'x', now(), now())")  # fmt: skip
    _, emitted = await run(reconcile_stock, ReconcileStock(mend="counters"), caller=OPERATOR)
    adjusted, depleted, short = emitted
    assert isinstance(adjusted, StockAdjusted)
    assert isinstance(depleted, StockDepleted)
    assert (adjusted.on_hand, adjusted.delta, adjusted.shortfall, adjusted.status) == (0, -9, 1, "out_of_stock")
    assert short == StockShortfall(sku="tea", location="LON", shortfall=1, orders=(OTHER,))


async def test_a_broken_ledger_goes_on_from_where_it_was_accepted(shelf: None, run: Run, ask: Ask, db: Books) -> None:
    await db.run(HAND % {"delta": -1, "on_hand": 77})
    await reconciled(ask, "counters")
    assert await level(db, "mug") == (19, 4, 3, 0)
    await run(adjust_stock, AdjustStock(sku="mug", location="LON", delta=2, reason="found"), caller=ADMIN)
    assert await reconciled(ask) == []

    await db.run(HAND % {"delta": 1, "on_hand": 5})
    assert brief(await reconciled(ask)) == [("entries", 1, 0, BROKEN), ("on_hand", 21, 22, BROKEN)]
    await reconciled(ask, "ledger")
    await run(adjust_stock, AdjustStock(sku="mug", location="LON", delta=-1, reason="lost"), caller=ADMIN)
    assert await reconciled(ask) == []
    assert await level(db, "mug") == (20, 4, 3, 0)


async def test_a_ledger_below_zero_is_no_level(shelf: None, ask: Ask, db: Books) -> None:
    await db.run(HAND % {"delta": -30, "on_hand": 0})
    (entries, on_hand) = sorted(await reconciled(ask, "counters"), key=lambda one: one["what"])
    assert (entries["mended"], on_hand["mended"], on_hand["expected"]) == (False, False, -10)
    assert await level(db, "mug") == (20, 4, 3, 0)

    assert all(one["mended"] for one in await reconciled(ask, "ledger"))
    assert await reconciled(ask) == []
    assert await level(db, "mug") == (20, 4, 3, 0)


async def test_a_line_where_there_is_no_stock(shelf: None, ask: Ask, db: Books) -> None:
    await db.run("update inventory.hold_lines set location = 'LEEDS' where sku = 'tea'")
    found = await reconciled(ask)
    assert brief(found) == [("committed", 1, 0, CHANGED), ("level", "missing", "there", "line_without_stock")]
    assert found[0]["location"] == "LEEDS" and found[0]["orders"] == [str(OTHER)]  # noqa: PT018

    assert all(one["mended"] for one in await reconciled(ask, "counters"))
    assert await reconciled(ask) == []
    assert (await level(db, "tea"), await level(db, "tea", "LEEDS")) == ((10, 0, 0, 0), (0, 0, 1, 1))


async def test_a_line_at_a_location_that_is_none_is_left(shelf: None, ask: Ask, db: Books) -> None:
    await db.run("update inventory.hold_lines set location = 'nowhere' where sku = 'tea'")

    left = {one["what"]: one["mended"] for one in await reconciled(ask, "counters")}
    assert left == {"committed": True, "level": False}
    await db.run("update inventory.hold_lines set location = 'LON' where sku = 'tea'")
    assert [one["mended"] for one in await reconciled(ask, "counters")] == [True]


async def test_goods_that_left_without_an_entry_are_for_people(shelf: None, ask: Ask, db: Books) -> None:
    await db.run("update inventory.hold_lines set shipped = 1 where sku = 'mug' and quantity = 3")
    await db.run(SET.format("committed = 2"))

    for mend in ("none", "counters", "ledger"):
        (found,) = await reconciled(ask, mend)
        assert (found["what"], found["cause"], found["mended"]) == ("parts", "line_without_part", False)
        assert found["orders"] == [str(OTHER)]
    await db.run("update inventory.hold_lines set shipped = 0")
    await db.run(SET.format("committed = 3"))


async def test_lines_of_a_deleted_hold_are_closed(shelf: None, ask: Ask, db: Books) -> None:
    await db.run("delete from inventory.holds where order_id = %(order)s", order=ORDER)
    found = await reconciled(ask, "counters")

    assert brief(found) == [("ended_lines", 4, 0, ENDED), ("held", 4, 0, ENDED)]
    assert [one["orders"] for one in found] == [[str(ORDER)]] * 2
    assert await level(db, "mug") == (20, 0, 3, 0)


async def test_a_hold_goes_on_after_its_mending(shelf: None, run: Run, ask: Ask, db: Books) -> None:
    await db.run("update inventory.hold_lines set released = 2 where quantity = 4")
    await db.run(SET.format("held = 2"))
    await reconciled(ask, "counters")

    shown = json.loads((await ask(get_hold, f"/v1/holds/{ORDER}", roles=("operator",))).body)
    assert [(part["kind"], part["lines"][0]["quantity"]) for part in shown["parts"]] == [("released", 2)]
    _, emitted = await run(release_hold, ReleaseHold(order_id=ORDER))
    assert emitted == [HoldReleased(order_id=ORDER)]
    assert await level(db, "mug") == (20, 0, 3, 0)


async def test_a_hold_that_somebody_is_at_work_with_is_left_for_the_next_time(shelf: None, ask: Ask, db: Books) -> None:
    """He who has locked it waits for the stock that is locked here: to wait for him would be a deadlock."""
    await db.run("update inventory.hold_lines set released = 1 where quantity = 4")
    await db.run("begin")
    await db.run("select from inventory.holds where order_id = %(order)s for update", order=ORDER)
    try:
        assert [one["mended"] for one in await reconciled(ask, "counters")] == [False]
    finally:
        await db.run("commit")
    assert [one["mended"] for one in await reconciled(ask, "counters")] == [True]


async def test_the_record_of_mendings_is_never_rewritten(shelf: None, ask: Ask, db: Books) -> None:
    await db.run(SET.format("held = 5"))
    await reconciled(ask, "counters")
    for change in ("update inventory.mendings set actor = 'x'", "delete from inventory.mendings"):
        with pytest.raises(psycopg.errors.RaiseException, match=r"inventory\.mendings is append-only"):
            await db.run(change)


@pytest.mark.parametrize(
    "body", [{"mend": "all"}, {"limit": 0}, {"limit": 1001}, {"limit": "5"}, {"after": "x" * 201}, {"after": 5}]
)
async def test_what_is_no_batch(body: dict[str, Any], ask: Ask) -> None:
    answer = await ask(reconcile_stock, "/v1/admin/stock-reconciliation", body, roles=("operator",))
    assert answer.status == 422


async def test_only_operators_reconcile(ask: Ask) -> None:
    assert (await ask(reconcile_stock, "/v1/admin/stock-reconciliation", {}, roles=("admin",))).status == 403
