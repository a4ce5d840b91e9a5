"""Holds at the same time, over connections of their own: no deadlock, no oversell, one effect, one winner."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from functions.inventory.commit_hold import commit_hold
from functions.inventory.expire_holds import expire_holds
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from shared.inventory.events import CommitHold, HoldStock, ReleaseHold
from shared.runtime.answers import Answer
from shared.runtime.serve import Endpoint
from tests.conftest import Books
from tests.functions.inventory.conftest import Stocked, hold, level

T = TypeVar("T")
Deliver = Callable[..., Awaitable[Answer]]


async def at_once(calls: Iterable[Awaitable[T]], workers: int = 16) -> list[T]:
    """As many at a time as a topic has partitions, on half as many connections: more would only wait for one."""
    free = asyncio.Semaphore(workers)

    async def one(call: Awaitable[T]) -> T:
        async with free:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))


async def answered(db: Books) -> Counter[str]:
    rows = await db.all("select type from platform.outbox where topic = 'shop.holds'")
    return Counter(row.type.split(".")[3] for row in rows)


async def test_200_buyers_for_100_units(deliver: Deliver, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LON", 60)
    await stocked("mug", "LEEDS", 40)
    answers = await at_once(deliver(hold_stock, hold(uuid4(), mug=1)) for _ in range(200))

    assert {answer.status for answer in answers} == {204}
    assert await answered(db) == {"held": 100, "rejected": 100}
    assert (await level(db, "mug"))[1] + (await level(db, "mug", "LEEDS"))[1] == 100


@pytest.mark.parametrize("same_event", [True, False])
async def test_8_duplicates_at_once(deliver: Deliver, stocked: Stocked, db: Books, same_event: bool) -> None:
    await stocked("mug", on_hand=10)
    for _ in range(10):
        command = hold(uuid4(), mug=1)
        id = str(uuid4()) if same_event else None
        answers = await asyncio.gather(*(deliver(hold_stock, command, id=id) for _ in range(8)))
        assert {answer.status for answer in answers} == {204}

    assert await answered(db) == {"held": 10 if same_event else 80}
    assert await level(db, "mug") == (10, 10, 0, 0)


async def test_random_orders_of_many_lines_do_not_deadlock(deliver: Deliver, stocked: Stocked, db: Books) -> None:
    chance = random.Random(1)
    skus = [f"s{number}" for number in range(12)]
    for sku in skus:
        await stocked(sku, "LON", 40)
        await stocked(sku, "LEEDS", 40)

    async def order() -> set[int]:
        wanted = {sku: chance.randint(1, 4) for sku in chance.sample(skus, 5)}
        id = uuid4()
        done = [(await deliver(hold_stock, hold(id, **wanted))).status]
        if chance.random() < 0.5:
            done.append((await deliver(commit_hold, CommitHold(order_id=id))).status)
        if chance.random() < 0.7:
            done.append((await deliver(release_hold, ReleaseHold(order_id=id))).status)
        return set(done)

    statuses = await at_once(order() for _ in range(300))

    assert set().union(*statuses) == {204}
    assert await db.all("select 1 from platform.attempts") == []
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert await db.value(deadlocks) == 0


@pytest.mark.parametrize("rival", ["expire", "release"])
async def test_a_commit_and_its_rival_have_one_winner(
    deliver: Deliver, endpoint_of: Callable[..., Endpoint[Any]], stocked: Stocked, db: Books, rival: str
) -> None:
    await stocked("mug", on_hand=50)
    orders = [uuid4() for _ in range(50)]
    await at_once(deliver(hold_stock, hold(order, mug=1)) for order in orders)
    # About half of them are due while the commits arrive.
    await db.run("update inventory.holds set expires_at = clock_timestamp() + random() * interval '0.2 s'")

    async def oppose(order: UUID) -> Answer:
        await asyncio.sleep(random.random() * 0.2)
        if rival == "release":
            return await deliver(release_hold, ReleaseHold(order_id=order))
        return await endpoint_of(expire_holds).handle("POST", "/", b"", {}, b"")

    async def commit(order: UUID) -> Answer:
        await asyncio.sleep(random.random() * 0.2)
        return await deliver(commit_hold, CommitHold(order_id=order))

    answers = await at_once((f(order) for order in orders for f in (commit, oppose)), workers=100)

    assert {answer.status for answer in answers} <= {200, 204}
    if rival == "expire":
        assert await db.all(
            """select key from platform.outbox where type like 'shop.inventory.hold.%%'
            group by key having bool_or(type like '%%.committed.v1') and bool_or(type like '%%.expired.v1')"""
        ) == []  # fmt: skip
    statuses = {row.status for row in await db.all("select status from inventory.holds")}
    assert statuses <= ({"COMMITTED", "EXPIRED"} if rival == "expire" else {"RELEASED", "EXPIRED"})


async def test_a_hold_and_a_release_of_one_order_at_once_leave_nothing_held(
    deliver: Deliver, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=40)
    commands: list[HoldStock | ReleaseHold] = []
    for _ in range(40):
        order = uuid4()
        commands += [hold(order, mug=1), ReleaseHold(order_id=order)]
    await at_once(
        deliver(hold_stock if isinstance(command, HoldStock) else release_hold, command) for command in commands
    )

    assert await level(db, "mug") == (40, 0, 0, 0)
