"""Stock of one SKU changed at several locations at once: every crossing is told, once, and in its order."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.expire_holds import expire_holds
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.set_stock_level import set_stock_level
from shared.inventory.events import CommitHold, ReleaseHold, StockHeld, StockShortfall
from shared.inventory.queries import STATUS_OF
from shared.runtime.answers import Answer
from shared.runtime.db import compiled
from shared.runtime.serve import Endpoint
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Begun, Stocked, hold
from tests.functions.inventory.test_concurrent_holds import at_once

AS_ADMIN = ("admin",)
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
Deliver = Callable[..., Awaitable[Answer]]

SAID = """
select key, type, convert_from(data, 'UTF8')::json as said from platform.outbox
where topic = 'shop.stock' order by key, sequence
"""


async def told_and_true(db: Books) -> None:
    """Each crossing of a SKU leads on from the one before, and the last event tells what the tables say."""
    streams: dict[str, list[Any]] = {}
    for row in await db.all(SAID):
        if row.type == StockShortfall.type:
            continue  # tells of a location
        streams.setdefault(row.key, []).append(row)
    now = {row.sku: row.status for row in await db.all(compiled(STATUS_OF).sql, skus=list(streams))}
    assert {sku: events[-1].said["status"] for sku, events in streams.items()} == now
    for events in streams.values():
        crossings = [event.said for event in events if "was" in event.said]
        assert [one["was"] for one in crossings] == ["out_of_stock", *(one["status"] for one in crossings[:-1])]
        assert all(one["status"] != one["was"] for one in crossings)


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(3, 30))])
async def test_everything_at_once(
    seed: int,
    deliver: Deliver,
    ask: Ask,
    endpoint_of: Callable[..., Endpoint[Any]],
    stocked: Stocked,
    db: Books,
) -> None:
    """Few SKUs around their thresholds; the second location gets its first stock in the middle of it."""
    chance = random.Random(seed)
    skus = [f"s{number}" for number in range(4)]
    for sku in skus:
        await stocked(sku, "LON", 9)

    async def buy() -> set[int]:
        id = uuid4()
        wanted = {sku: chance.randint(1, 3) for sku in chance.sample(skus, chance.randint(1, 3))}
        done = {(await deliver(hold_stock, hold(id, expires_in_s=900, **wanted))).status}
        if chance.random() < 0.3:
            done.add((await deliver(commit_hold, CommitHold(order_id=id))).status)
        if chance.random() < 0.7:
            done.add((await deliver(release_hold, ReleaseHold(order_id=id))).status)
        return done

    async def move() -> set[int]:
        path = f"/v1/stock/{chance.choice(skus)}/{chance.choice(('LON', 'LEEDS'))}"
        if chance.random() < 0.3:
            body: dict[str, Any] = {"on_hand": chance.randint(0, 9), "reason": "recount"}
            return {(await ask(set_stock_level, path, body, roles=AS_ADMIN)).status}
        body = {"delta": chance.choice((-3, -2, -1, 1, 2, 4)), "reason": "correction"}
        key = str(uuid4())
        answer = await ask(adjust_stock, f"{path}/adjustments", body, roles=AS_ADMIN, idempotency_key=key)
        return {200 if answer.status in (201, 409) else answer.status}

    async def rule() -> set[int]:
        body: dict[str, Any] = chance.choice(({"low_at": chance.randint(0, 9)}, {"tracked": chance.random() < 0.7}))
        return {(await ask(set_item_policy, f"/v1/items/{chance.choice(skus)}", body, roles=AS_ADMIN)).status}

    async def expire() -> set[int]:
        await db.run(
            "update inventory.holds set expires_at = now() where order_id in"
            " (select order_id from inventory.holds where status = 'HELD' limit 2 for update skip locked)"
        )
        return {(await endpoint_of(expire_holds).handle("POST", "/", b"", {}, b"")).status}

    kinds = [buy] * 12 + [move] * 5 + [rule] * 2 + [expire]
    statuses = await at_once(chance.choice(kinds)() for _ in range(250))

    assert set().union(*statuses) <= {200, 204}
    assert await db.all("select 1 from platform.attempts") == []
    assert await db.value("select deadlocks from pg_stat_database where datname = current_database()") == 0
    kinds_told = {row.type.split(".")[3] for row in await db.all(SAID)}
    assert kinds_told == {"adjusted", "low", "depleted", "replenished", "shortfall"}
    await told_and_true(db)


async def told(db: Books, sku: str = "mug") -> list[str]:
    """All that was said of the SKU, with the status that it had then."""
    return [f"{row.type.split('.')[3]} {row.said['status']}" for row in await db.all(SAID) if row.key == sku]


async def test_a_hold_counts_the_location_that_was_added_while_it_waited(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    await stocked("mug", "LON", 6)
    async with begun(adjust_stock, AdjustStock(sku="mug", location="LEEDS", delta=4, reason="received")):
        holding = asyncio.create_task(run(hold_stock, hold(mug=2)))
    _, emitted = await holding

    assert [type(event).__name__ for event in emitted] == ["StockHeld"]
    await told_and_true(db)


async def test_a_hold_takes_nothing_of_a_level_that_it_has_not_locked(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    """The first location would be served first, had it had stock when the hold began to wait."""
    await stocked("mug", "LEEDS", 6)
    async with begun(adjust_stock, AdjustStock(sku="mug", location="LEEDS", delta=1, reason="received")):
        holding = asyncio.create_task(run(hold_stock, hold(mug=2)))
        async with asyncio.timeout(5):
            while not await db.value(WAITING):  # noqa: ASYNC110 - another connection waits
                await asyncio.sleep(0.01)
        await db.run("insert into inventory.stock (sku, location) values ('mug', 'LON')")
        await db.run("update inventory.stock set on_hand = 4 where location = 'LON'")
        await db.run(
            "insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, at, recorded_at)"
            " values ('mug', 'LON', 4, 4, 'opening', 'ann', now(), now())"
        )
    _, emitted = await holding

    assert isinstance(emitted[0], StockHeld)
    assert [line.location for line in emitted[0].allocations] == ["LEEDS"]


async def test_a_hold_knows_the_policy_that_was_set_while_it_waited(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    await stocked("mug", "LON", 8)
    async with begun(set_item_policy, SetItemPolicy(sku="mug", low_at=7)):
        holding = asyncio.create_task(run(hold_stock, hold(mug=1)))
    await holding

    assert (await told(db))[-1] == "low low"
    await told_and_true(db)


async def test_a_release_counts_what_was_taken_elsewhere_while_it_waited(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    await stocked("mug", "LEEDS", 7)
    await run(hold_stock, hold(mug=2))
    await stocked("mug", "LON", 3)
    async with begun(adjust_stock, AdjustStock(sku="mug", location="LON", delta=-3, reason="damaged")):
        releasing = asyncio.create_task(run(release_hold, ReleaseHold(order_id=ORDER)))
    await releasing

    assert (await told(db))[-3:] == ["adjusted low", "low low", "replenished in_stock"]
    await told_and_true(db)


@pytest.mark.parametrize("heard_of", [False, True])
async def test_the_first_stock_at_two_locations_is_told_once(
    ask: Ask, run: Run, stocked: Stocked, db: Books, begun: Begun, heard_of: bool
) -> None:
    if heard_of:
        await run(set_item_policy, SetItemPolicy(sku="mug"), caller=ADMIN)
    async with begun(adjust_stock, AdjustStock(sku="mug", location="LON", delta=6, reason="received")):
        second = asyncio.create_task(
            ask(set_stock_level, "/v1/stock/mug/LEEDS", {"on_hand": 4, "reason": "recount"}, roles=AS_ADMIN)
        )
    assert json.loads((await second).body)["available"] == 4

    assert await told(db) == ["received in_stock", "replenished in_stock", "adjusted in_stock"]
    assert await db.value(
        "select convert_from(data, 'UTF8')::json ->> 'sku_available' from platform.outbox"
        " where topic = 'shop.stock' order by position desc limit 1"
    ) == "10"  # fmt: skip


async def test_two_holds_at_two_locations_of_which_the_second_takes_the_last(
    run: Run, stocked: Stocked, db: Books, begun: Begun
) -> None:
    await stocked("mug", "LON", 1)
    await stocked("mug", "LEEDS", 1)
    async with begun(hold_stock, hold(mug=1)):
        second = asyncio.create_task(run(hold_stock, hold(OTHER, mug=1)))
    await second

    assert (await told(db))[-1] == "depleted out_of_stock"
    await told_and_true(db)


async def test_two_releases_at_two_locations_add_up(run: Run, stocked: Stocked, db: Books, begun: Begun) -> None:
    await stocked("mug", "LON", 4)
    await stocked("mug", "LEEDS", 4)
    await run(hold_stock, hold(mug=4))
    await run(hold_stock, hold(OTHER, mug=4))
    async with begun(release_hold, ReleaseHold(order_id=ORDER)):
        second = asyncio.create_task(run(release_hold, ReleaseHold(order_id=OTHER)))
    await second

    assert (await told(db))[-2:] == ["replenished low", "replenished in_stock"]
    await told_and_true(db)
