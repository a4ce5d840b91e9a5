"""Events that wait at the same time share a transaction, and nothing else: neither a failure nor a cause."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from functions.inventory.hold_stock import hold_stock
from shared.inventory.events import HoldRejected, HoldStock
from shared.runtime.answers import Answer
from shared.runtime.serve import Endpoint, Runtime
from shared.runtime.settings import Settings
from shared.runtime.work import Work
from tests.conftest import Books, delivered
from tests.shared.runtime.declared import standing_in


def command(number: int) -> HoldStock:
    return HoldStock(order_id=UUID(int=number), lines=[], expires_in_s=60)


async def answers(commands: Sequence[HoldStock], work: Work) -> None:
    for command in commands:
        work.emit(HoldRejected(order_id=command.order_id, shortages={}), because=command)


async def post(endpoint: Endpoint[Any], command: HoldStock, id: str | None = None) -> Answer:
    headers, body = delivered(command, id=id or f"e{command.order_id.int}")
    return await endpoint.handle("POST", "/", b"", headers, body)


async def post_all(endpoint: Endpoint[Any], numbers: Sequence[int]) -> list[int]:
    return [one.status for one in await asyncio.gather(*(post(endpoint, command(number)) for number in numbers))]


@pytest.fixture
async def hasty(settings: Settings) -> AsyncIterator[Runtime]:
    running = Runtime.start(replace(settings, handler_timeout_s=0.3))
    yield running
    await running.stop()


async def transactions(db: Books) -> list[list[str]]:
    """Which events were applied together."""
    rows = await db.all("select array_agg(event_id order by event_id) as ids from platform.inbox group by xmin::text")
    return sorted(row.ids for row in rows)


async def test_what_waits_meanwhile_is_taken_together(runtime: Runtime, db: Books) -> None:
    first, go_on = asyncio.Event(), asyncio.Event()

    async def slow_at_first(commands: Sequence[HoldStock], work: Work) -> None:
        if not first.is_set():
            first.set()
            await go_on.wait()
        await answers(commands, work)

    endpoint = standing_in(runtime, hold_stock, slow_at_first)
    alone = asyncio.create_task(post(endpoint, command(1)))
    await first.wait()
    others = asyncio.create_task(post_all(endpoint, [2, 3, 4]))
    await asyncio.sleep(0.05)
    go_on.set()

    assert (await alone).status == 204
    assert await others == [204, 204, 204]
    assert await transactions(db) == [["e1"], ["e2", "e3", "e4"]]


async def test_no_more_than_declared_are_taken_together(runtime: Runtime, db: Books) -> None:
    endpoint = standing_in(runtime, hold_stock, answers, together=2)
    assert await post_all(endpoint, [1, 2, 3, 4, 5]) == [204] * 5
    assert [len(ids) for ids in await transactions(db)] == [2, 2, 1]


async def test_a_patient_one_waits_for_others(settings: Settings, db: Books) -> None:
    """Also where they come one after the other, as long as they come in time."""
    runtime = Runtime.start(replace(settings, gather_s=0.3))
    endpoint = standing_in(runtime, hold_stock, answers, patient=True)
    coming = [asyncio.create_task(post(endpoint, command(number))) for number in (1, 2)]
    await asyncio.sleep(0.1)
    assert await db.value("select count(*) from platform.inbox") == 0
    coming.append(asyncio.create_task(post(endpoint, command(3))))
    assert [(await one).status for one in coming] == [204] * 3
    assert await transactions(db) == [["e1", "e2", "e3"]]

    full = standing_in(runtime, hold_stock, answers, patient=True, together=2)
    assert await post_all(full, [4, 5]) == [204, 204], "who has as many as can be taken waits for no more"
    await runtime.stop()


async def test_what_does_not_concern_it_leaves_nothing_behind(runtime: Runtime, db: Books) -> None:
    endpoint = standing_in(runtime, hold_stock, answers, concerns=lambda command: command.order_id.int % 2 == 0)
    assert await post_all(endpoint, [1, 2, 3]) == [204] * 3
    assert await transactions(db) == [["e2"]]


async def test_each_answer_names_the_event_that_led_to_it(runtime: Runtime, db: Books) -> None:
    assert await post_all(standing_in(runtime, hold_stock, answers), range(1, 9)) == [204] * 8
    rows = await db.all("select key, causationid, correlationid from platform.outbox")
    assert {row.key: row.causationid for row in rows} == {str(UUID(int=n)): f"e{n}" for n in range(1, 9)}
    assert len({row.correlationid for row in rows}) == 8


async def test_a_duplicate_among_them_has_no_effect(runtime: Runtime, db: Books) -> None:
    endpoint = standing_in(runtime, hold_stock, answers)
    assert await post_all(endpoint, [2]) == [204]
    assert await post_all(endpoint, [1, 1, 2, 3, 1]) == [204] * 5
    assert await db.value("select count(*) from platform.outbox") == 3
    assert len(await transactions(db)) == 2


async def test_two_of_one_stream_keep_their_order(runtime: Runtime, db: Books) -> None:
    endpoint = standing_in(runtime, hold_stock, answers)
    statuses = await asyncio.gather(*(post(endpoint, command(7), id=f"e{number}") for number in (3, 1, 2)))
    assert {answer.status for answer in statuses} == {204}
    rows = await db.all("select causationid, sequence from platform.outbox order by sequence")
    assert [tuple(row) for row in rows] == [("e3", 1), ("e1", 2), ("e2", 3)]


@pytest.mark.parametrize("fails_at", ["once", "commit"])
async def test_one_that_fails_does_no_harm_to_the_others(runtime: Runtime, db: Books, fails_at: str) -> None:
    async def fails(commands: Sequence[HoldStock], work: Work) -> None:
        await answers(commands, work)
        if any(command.order_id.int == 3 for command in commands):
            if fails_at == "once":
                raise RuntimeError("order 3 cannot be held")
            await work.db.send(text("select 1 / 0"))

    endpoint = standing_in(runtime, hold_stock, fails)
    statuses = [await post_all(endpoint, [1, 2, 3, 4])]
    statuses += [await post_all(endpoint, [3, 10 + again]) for again in range(5)]

    assert statuses == [[204, 204, 503, 204], *[[503, 204]] * 3, [204, 204], [204, 204]]
    assert [tuple(row) for row in await db.all("select event_id, attempts from platform.attempts")] == [("e3", 6)]
    assert [tuple(row) for row in await db.all("select event_id, reason from platform.dead_letters")] == [
        ("e3", "parked")
    ]
    assert await db.value("select count(*) from platform.outbox") == 3 + 5
    assert await db.value("select count(*) from platform.inbox") == 3 + 5


async def test_one_that_waits_too_long_for_a_lock_does_no_harm_to_the_others(runtime: Runtime, db: Books) -> None:
    async def waits(commands: Sequence[HoldStock], work: Work) -> None:
        await answers(commands, work)
        if any(command.order_id.int == 2 for command in commands):
            await work.db.run(text("do $$ begin raise exception 'too long' using errcode = '55P03'; end $$"))

    endpoint = standing_in(runtime, hold_stock, waits)
    for _ in range(6):
        assert (await post_all(endpoint, [1, 2, 3])) == [204, 503, 204]
    assert await db.all("select 1 from platform.attempts") == []


async def test_a_server_that_is_away_is_not_asked_for_each(runtime: Runtime, db: Books) -> None:
    asked = []

    async def away(commands: Sequence[HoldStock], work: Work) -> None:
        asked.append(len(commands))
        raise ConnectionError

    assert await post_all(standing_in(runtime, hold_stock, away), [1, 2, 3]) == [503] * 3
    assert asked == [3]
    assert await db.all("select 1 from platform.attempts") == []


async def test_a_deadline_that_passes_leaves_nothing_and_holds_nobody_up(hasty: Runtime, db: Books) -> None:
    async def hangs(commands: Sequence[HoldStock], work: Work) -> None:
        await answers(commands, work)
        if any(command.order_id.int < 3 for command in commands):
            await asyncio.sleep(5)

    endpoint = standing_in(hasty, hold_stock, hangs)
    assert await post_all(endpoint, [1, 2]) == [503, 503]
    assert await db.all("select 1 from platform.inbox") == []
    assert await post_all(endpoint, [3, 4]) == [204, 204]
    assert await transactions(db) == [["e3", "e4"]]


async def test_nobody_is_waited_for_who_has_gone(runtime: Runtime, db: Books) -> None:
    first, go_on = asyncio.Event(), asyncio.Event()

    async def slow(commands: Sequence[HoldStock], work: Work) -> None:
        first.set()
        await go_on.wait()
        await answers(commands, work)

    endpoint = standing_in(runtime, hold_stock, slow)
    alone = asyncio.create_task(post(endpoint, command(1)))
    await first.wait()
    gone, stays = (asyncio.create_task(post(endpoint, command(number))) for number in (2, 3))
    await asyncio.sleep(0.05)
    gone.cancel()
    await asyncio.sleep(0)
    go_on.set()

    assert ((await alone).status, (await stays).status) == (204, 204)
    assert await transactions(db) == [["e1"], ["e3"]]
