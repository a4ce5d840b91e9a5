"""A reconciliation amid buyers, over connections of their own: it mends what is wrong and nothing that is right."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from functions.inventory.adjust_stock import adjust_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.hold_stock import hold_stock
from functions.inventory.reconcile_stock import reconcile_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.release_hold_part import release_hold_part
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import CommitHold, PartLine, ReleaseHold, ReleasePart, ShipHold
from shared.runtime import Event
from shared.runtime.answers import Answer
from tests.conftest import Ask, Books
from tests.functions.inventory.conftest import Stocked, hold
from tests.functions.inventory.test_concurrent_holds import at_once

Deliver = Callable[..., Awaitable[Answer]]

SKUS = [f"s{number}" for number in range(6)]
HARMS = (
    "update inventory.stock set held = held + 1 where sku = '%(sku)s' and location = 'LON'",
    "update inventory.stock set committed = committed + 2 where sku = '%(sku)s' and location = 'LON'",
    "update inventory.stock set on_hand = on_hand + 3 where sku = '%(sku)s' and location = 'LON'",
    # As somebody careful does it: nobody who has read the line is at work with it.
    """do $$
    declare
      harmed uuid;
    begin
      select h.order_id into harmed from inventory.holds h join inventory.hold_lines l using (order_id)
        where l.sku = '%(sku)s' and h.status in ('HELD', 'COMMITTED') and l.released + l.shipped < l.quantity
        limit 1 for update of h skip locked;
      perform from inventory.stock where sku = '%(sku)s' order by sku, location for update;
      update inventory.hold_lines set released = released + 1
        where order_id = harmed and sku = '%(sku)s' and released + shipped < quantity;
    end $$""",
)


async def buy(chance: random.Random, deliver: Deliver, ask: Ask) -> set[int]:
    """One order, as far as it comes: the statuses of the answers."""
    order, skus = uuid4(), chance.sample(SKUS, 3)
    part = [PartLine(sku=skus[0], quantity=1)]
    steps: list[tuple[float, Any, Event]] = [
        (1, hold_stock, hold(order, **{sku: chance.randint(2, 4) for sku in skus})),
        (0.5, release_hold_part, ReleasePart(order_id=order, part_id=uuid4(), lines=part)),
        (0.7, commit_hold, CommitHold(order_id=order)),
        (0.5, ship_hold, ShipHold(order_id=order, part_id=uuid4(), lines=part)),
        (0.5, release_hold, ReleaseHold(order_id=order)),
    ]
    statuses = {(await deliver(step, command)).status for often, step, command in steps if chance.random() < often}
    path, body = f"/v1/stock/{skus[0]}/LON/adjustments", {"delta": 1, "reason": "found"}
    return statuses | {(await ask(adjust_stock, path, body, roles=("admin",), idempotency_key=str(order))).status}


@pytest.mark.parametrize("mend", ["counters", "ledger"])
async def test_mending_amid_buyers_leaves_exact_books(
    mend: str, deliver: Deliver, ask: Ask, stocked: Stocked, db: Books
) -> None:
    chance = random.Random(7)
    for sku in SKUS:
        await stocked(sku, "LON", 5_000)
    done = asyncio.Event()
    found: list[Any] = []

    async def harm() -> None:
        while not done.is_set():
            await db.run(chance.choice(HARMS) % {"sku": chance.choice(SKUS)})
            await asyncio.sleep(0.02)

    async def reconcile() -> None:
        while not done.is_set():
            found.extend((await reconciled(mend))["differences"])
            await asyncio.sleep(0.02)

    async def reconciled(mend: str) -> Any:
        answer = await ask(reconcile_stock, "/v1/admin/stock-reconciliation", {"mend": mend}, roles=("operator",))
        assert answer.status == 200, answer
        return json.loads(answer.body)

    async def shop() -> list[set[int]]:
        try:
            return await at_once((buy(chance, deliver, ask) for _ in range(60)), workers=6)
        finally:
            done.set()

    statuses, *_ = await asyncio.gather(shop(), harm(), reconcile(), reconcile())

    assert set().union(*statuses) == {201, 204}
    assert {"on_hand", "held", "committed", "parts"} <= {one["what"] for one in found}
    await reconciled(mend)
    assert (await reconciled("none"))["differences"] == []
    assert await db.all("select 1 from platform.attempts") == []
    assert await db.value("select deadlocks from pg_stat_database where datname = current_database()") == 0


async def test_nothing_is_mended_in_a_sound_shop(deliver: Deliver, ask: Ask, stocked: Stocked, db: Books) -> None:
    for sku in SKUS:
        await stocked(sku, "LON", 1_000)
    done = asyncio.Event()

    async def buy() -> None:
        order = uuid4()
        await deliver(hold_stock, hold(order, **dict.fromkeys(SKUS, 1)))
        await deliver(commit_hold, CommitHold(order_id=order))
        await deliver(ship_hold, ShipHold(order_id=order, part_id=uuid4()))

    async def shop() -> None:
        await at_once((buy() for _ in range(60)), workers=6)
        done.set()

    async def reconcile() -> None:
        while not done.is_set():
            body = {"mend": "counters"}
            answer = await ask(reconcile_stock, "/v1/admin/stock-reconciliation", body, roles=("operator",))
            assert json.loads(answer.body)["differences"] == []

    await asyncio.gather(shop(), reconcile(), reconcile())
    assert await db.value("select count(*) from inventory.mendings") == 0
