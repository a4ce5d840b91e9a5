"""The unit of work: all or nothing, under the function's own role, and only what it declares."""

import asyncio
import random
from collections import defaultdict
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from functions.catalog.list_products import list_products
from functions.inventory.release_hold import release_hold
from functions.orders.advance_order import advance_order
from functions.orders.record_order import record_order
from shared.inventory.events import CommitHold, HoldReleased, ReleaseHold
from shared.orders.events import OrderCancelled, OrderConfirmed
from shared.runtime import outbox
from shared.runtime.auth import ANONYMOUS
from shared.runtime.db import Database
from shared.runtime.serve import Runtime
from shared.runtime.work import Cause, NoClock, UndeclaredEvent, unit_of_reading, unit_of_work
from tests.conftest import Books, declaration_of

CAUSE = Cause("test")
ORDERS = [UUID(int=number) for number in range(5)]


class Abandoned(Exception):
    pass


def unit(runtime: Runtime, function: Any = advance_order) -> Any:
    return unit_of_work(runtime.database, declaration_of(function), ANONYMOUS, CAUSE)


async def test_an_event_that_is_not_declared_cannot_be_emitted(runtime: Runtime, db: Books) -> None:
    async def emits_both() -> None:
        async with unit(runtime, release_hold) as work:
            work.emit(HoldReleased(order_id=UUID(int=1)))
            work.emit(CommitHold(order_id=UUID(int=1)))

    with pytest.raises(UndeclaredEvent):
        await emits_both()
    assert await db.all("select 1 from platform.outbox") == []


async def test_the_database_refuses_an_undeclared_event_too(runtime: Runtime, db: Books) -> None:
    """Row-level security on the outbox: a function that went round the runtime would not get further."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with unit(runtime, release_hold) as work:
            outbox.leave(work.db, "/shop/orders/liar", [CommitHold(order_id=UUID(int=1))], [CAUSE])
    assert await db.all("select 1 from platform.outbox") == []


@pytest.mark.parametrize(
    "statement",
    [
        "insert into orders.customers (id, created_at, updated_at) values ('x', now(), now())",
        "update orders.orders set total_minor = 0",
        "select payment_token from orders.orders",
        "delete from inventory.ledger",
        "delete from platform.outbox",
        "update platform.outbox set data = ''",
        "select data from platform.outbox",
        "insert into platform.inbox (consumer, source, event_id) values ('hold-stock', '/s', '1')",
        "create table public.mine ()",
        "set role shop_relay",
        "set role fn_adjust_stock_x",
    ],
)
async def test_what_is_not_declared_is_not_allowed(statement: str, runtime: Runtime) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue)):
        async with unit(runtime, release_hold) as work:
            await work.db.run(text(statement))


async def test_other_functions_inboxes_are_out_of_sight(runtime: Runtime, db: Books) -> None:
    await db.run("insert into platform.inbox (consumer, source, event_id) values ('hold-stock', '/s', '1')")
    async with unit(runtime, release_hold) as work:
        assert await work.db.all(text("select * from platform.inbox")) == []


async def test_what_raises_leaves_nothing(runtime: Runtime, db: Books) -> None:
    async def raises() -> None:
        async with unit(runtime, release_hold) as work:
            await release_hold(ReleaseHold(order_id=UUID(int=1)), work)
            raise Abandoned

    with pytest.raises(Abandoned):
        await raises()
    assert await db.all("select 1 from inventory.holds") == []
    assert await db.all("select 1 from platform.outbox") == []
    async with unit(runtime, release_hold) as work:
        assert await work.db.value(text("select 1")) == 1, "the connection is good again"


async def test_a_cancelled_unit_leaves_nothing_and_its_connection_is_good_again(runtime: Runtime, db: Books) -> None:
    entered = asyncio.Event()

    async def waits() -> None:
        async with unit(runtime, release_hold) as work:
            await release_hold(ReleaseHold(order_id=UUID(int=1)), work)
            entered.set()
            await work.db.run(text("select pg_sleep(60)"))

    for _ in range(runtime.settings.db_pool + 1):
        entered.clear()
        task = asyncio.create_task(waits())
        await entered.wait()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    async with unit(runtime, release_hold) as work:
        assert await work.db.value(text("select 1")) == 1
    assert await db.all("select 1 from platform.outbox") == []


async def test_more_units_than_connections_wait_for_one_another(runtime: Runtime) -> None:
    async def one(number: int) -> int:
        async with unit(runtime, release_hold) as work:
            return int(await work.db.value(text("select cast(:n as int)"), n=number))

    assert await asyncio.gather(*(one(number) for number in range(100))) == list(range(100))


@pytest.mark.parametrize("begun", [unit_of_work, unit_of_reading])
async def test_statements_behind_one_that_fails_can_be_sent_again(runtime: Runtime, begun: Any) -> None:
    """However often they were sent before, and so whether they are about to be prepared or are already."""
    fails, follows = text("select 1 / cast(:by as int) as quotient"), text("select cast(:n as int) as n")
    for times_before in range(5):
        one = replace(runtime, database=Database(runtime.settings.database_url, 1))

        async def together(database: Database, by: int) -> int:
            async with begun(database, declaration_of(list_products), ANONYMOUS, CAUSE) as work:
                work.db.enqueue(fails, by=by)
                found: int = await work.db.value(follows, n=7)
                return found

        for _ in range(times_before):
            assert await together(one.database, 1) == 7
        for _ in range(2):
            with pytest.raises(psycopg.errors.DivisionByZero):
                await together(one.database, 0)
            assert await together(one.database, 1) == 7
        await one.stop()


async def test_a_lost_connection_is_replaced(runtime: Runtime, db: Books) -> None:
    async def loses_it() -> None:
        async with unit(runtime, release_hold) as work:
            own = await work.db.value(text("select pg_backend_pid()"))
            await db.run("select pg_terminate_backend(%(own)s, 5000)", own=own)
            await work.db.value(text("select 1"))

    with pytest.raises(psycopg.OperationalError):
        await loses_it()
    async with unit(runtime, release_hold) as work:
        assert await work.db.value(text("select 1")) == 1


async def test_all_places_taken_is_a_reason_to_come_again(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.runtime.db.WAIT_FOR_CONNECTION_S", 0.01)
    small = replace(runtime, database=Database(runtime.settings.database_url, 1))
    async with unit(small):
        with pytest.raises(TimeoutError):
            async with unit(small):
                pass
    async with unit(small):
        pass
    await small.stop()


async def test_what_only_reads_has_no_clock(runtime: Runtime) -> None:
    async with unit_of_reading(runtime.database, declaration_of(list_products), ANONYMOUS, CAUSE) as work:
        assert await work.db.value(text("select current_user")) == "fn_list_products"
        with pytest.raises(NoClock):
            _ = work.now


async def test_sequences_are_contiguous_and_commits_are_in_their_order(runtime: Runtime, db: Books) -> None:
    chance = random.Random(7)
    plans = [
        ([chance.choice(ORDERS) for _ in range(chance.randint(1, 4))], chance.random() < 0.2, chance.random() < 0.3)
        for _ in range(120)
    ]

    async def transaction(orders: list[UUID], fails: bool, dawdles: bool) -> None:
        async with unit(runtime) as work:
            for order in orders:
                work.emit(OrderConfirmed(order_id=order, currency="GBP", total_minor=1))
                work.emit(ReleaseHold(order_id=order))
            if dawdles:
                await work.db.run(text("select pg_sleep(0.002)"))
            if fails:
                raise Abandoned

    results = await asyncio.gather(*(transaction(*plan) for plan in plans), return_exceptions=True)
    assert {type(result) for result in results} == {type(None), Abandoned}
    kept = sum(2 * len(orders) for orders, fails, _ in plans if not fails)
    rows = await db.all("select topic, key, sequence from platform.outbox order by position")
    streams = defaultdict(list)
    for row in rows:
        streams[row.topic, row.key].append(row.sequence)
    assert len(rows) == kept
    assert {stream: list(range(1, len(found) + 1)) for stream, found in streams.items()} == dict(streams)
    heads = await db.all("select topic, key, sequence from platform.streams")
    assert {(row.topic, row.key): row.sequence for row in heads} == {
        stream: len(found) for stream, found in streams.items()
    }


async def test_events_of_one_unit_keep_their_order(runtime: Runtime, db: Books) -> None:
    confirmed = OrderConfirmed(order_id=UUID(int=1), currency="GBP", total_minor=1)
    said = [confirmed, OrderCancelled(order_id=UUID(int=1), reason="no"), confirmed]
    async with unit(runtime) as work:
        for event in said:
            work.emit(event)
    rows = await db.all(
        "select type, sequence, partition, source, correlationid from platform.outbox order by position"
    )
    assert [(row.type, row.sequence) for row in rows] == [(event.type, n) for n, event in enumerate(said, 1)]
    assert {(row.source, row.correlationid) for row in rows} == {("/shop/orders/advance-order", "test")}
    assert len({row.partition for row in rows}) == 1


async def test_a_commit_with_events_wakes_the_relay_and_one_without_does_not(runtime: Runtime, db: Books) -> None:
    listener = await psycopg.AsyncConnection.connect(runtime.settings.database_url, autocommit=True)
    await listener.execute("listen outbox")
    async with unit(runtime, release_hold) as work:
        await work.db.value(text("select 1"))
    async with unit(runtime, release_hold) as work:
        work.emit(HoldReleased(order_id=UUID(int=1)))
    heard = [notice.channel async for notice in listener.notifies(timeout=5, stop_after=1)]
    heard += [notice.channel async for notice in listener.notifies(timeout=0)]
    assert heard == ["outbox"]
    await listener.close()


async def test_a_role_goes_with_its_transaction(runtime: Runtime) -> None:
    one = replace(runtime, database=Database(runtime.settings.database_url, 1))
    for function in (release_hold, record_order, release_hold):
        async with unit(one, function) as work:
            assert await work.db.value(text("select current_user")) == f"fn_{function.__name__}"
    await one.stop()
