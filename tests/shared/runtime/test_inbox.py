"""One effect per event, however often it comes; and what becomes of an event whose handler fails."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from functions.inventory.release_hold import release_hold
from functions.orders.advance_order import advance_order
from shared.inventory.events import HoldReleased, ReleaseHold, StockHeld
from shared.runtime import Event
from shared.runtime.answers import Answer
from shared.runtime.serve import Endpoint, Runtime
from shared.runtime.work import Work
from tests.conftest import NOW, Books, delivered
from tests.shared.runtime.declared import standing_in

Deliver = Callable[..., Awaitable[Answer]]
HELD = StockHeld(order_id=UUID(int=1), expires_at=NOW)


async def post(endpoint: Endpoint[Any], event: Event, id: str = "e1") -> Answer:
    headers, body = delivered(event, id=id)
    return await endpoint.handle("POST", "/", b"", headers, body)


async def test_eight_deliveries_at_once_have_one_effect_each(runtime: Runtime, db: Books) -> None:
    endpoint = standing_in(runtime, release_hold, release_hold)
    commands = [ReleaseHold(order_id=uuid4()) for _ in range(20)]
    deliveries = [post(endpoint, command, id=str(command.order_id)) for command in commands for _ in range(8)]
    slots = asyncio.Semaphore(8)

    async def one(delivery: Awaitable[Answer]) -> int:
        async with slots:
            return (await delivery).status

    assert set(await asyncio.gather(*map(one, deliveries))) == {204}
    answers = await db.all(
        "select key, count(*) as times from platform.outbox where type = %(t)s group by 1", t=HoldReleased.type
    )
    assert {(row.key, row.times) for row in answers} == {(str(command.order_id), 1) for command in commands}


async def test_an_id_is_an_events_only_with_its_source(deliver: Deliver, db: Books) -> None:
    command = ReleaseHold(order_id=UUID(int=1))
    for source in ("/shop/orders/one", "/shop/orders/other", "/shop/orders/one"):
        await deliver(release_hold, command, id="e1", source=source)
    assert await db.value("select count(*) from platform.inbox") == 2


async def test_a_handler_that_keeps_failing_is_parked_at_the_fifth_time(runtime: Runtime, db: Books) -> None:
    async def fails(event: Event, work: Work) -> None:
        await work.db.send(text("update orders.sagas set asked = asked"))
        raise RuntimeError("order 4711 cannot be advanced")

    endpoint = standing_in(runtime, advance_order, fails)
    answers = [await post(endpoint, HELD) for _ in range(6)]

    assert [answer.status for answer in answers] == [503, 503, 503, 503, 204, 204]
    assert b"4711" not in b"".join(answer.body for answer in answers)
    letter = await db.one("select * from platform.dead_letters")
    assert (letter.consumer, letter.event_id, letter.reason) == ("advance-order", "e1", "parked")
    assert letter.error == "RuntimeError: order 4711 cannot be advanced"
    assert (letter.type, letter.key) == (HELD.type, HELD.key)
    assert json.loads(letter.data) == json.loads(HELD.model_dump_json())
    assert await db.all("select 1 from platform.inbox") == [], "it can still be replayed"


async def test_letters_of_one_cause_have_one_fingerprint(runtime: Runtime, db: Books) -> None:
    numbers = iter(range(100))

    async def fails(event: Event, work: Work) -> None:
        raise RuntimeError(f"number {next(numbers)}")

    endpoint = standing_in(runtime, advance_order, fails)
    for id in ("e1", "e2"):
        for _ in range(5):
            await post(endpoint, HELD, id=id)
    assert await db.value("select count(*) from platform.dead_letters") == 2
    assert await db.value("select count(distinct fingerprint) from platform.dead_letters") == 1


async def test_what_may_pass_counts_nothing(runtime: Runtime, db: Books) -> None:
    async def gives_way(event: Event, work: Work) -> None:
        await work.db.run(text("do $$ begin raise exception 'try again' using errcode = '40001'; end $$"))

    endpoint = standing_in(runtime, advance_order, gives_way)
    assert {(await post(endpoint, HELD)).status for _ in range(7)} == {503}
    assert await db.all("select 1 from platform.attempts") == []
    assert await db.all("select 1 from platform.dead_letters") == []


async def test_a_handler_that_recovers_has_its_one_effect(runtime: Runtime, db: Books) -> None:
    failures = iter([True, True, False, False])

    async def at_first_fails(command: ReleaseHold, work: Work) -> None:
        await release_hold(command, work)
        if next(failures):
            raise RuntimeError("not yet")

    endpoint = standing_in(runtime, release_hold, at_first_fails)
    answers = [await post(endpoint, ReleaseHold(order_id=UUID(int=1))) for _ in range(4)]
    assert [answer.status for answer in answers] == [503, 503, 204, 204]
    assert await db.value("select count(*) from platform.outbox") == 1


async def test_an_error_that_is_not_heeded_leaves_no_effect(runtime: Runtime, db: Books) -> None:
    """A statement that fails at the commit rolls all back, the inbox row too."""

    async def sends_nonsense(command: ReleaseHold, work: Work) -> None:
        await release_hold(command, work)
        await work.db.send(text("select 1 / 0"))

    endpoint = standing_in(runtime, release_hold, sends_nonsense)
    assert (await post(endpoint, ReleaseHold(order_id=UUID(int=1)))).status == 503
    assert await db.all("select 1 from platform.inbox") == []
    assert await db.all("select 1 from platform.outbox") == []
    assert await db.value("select attempts from platform.attempts") == 1


async def test_poison_is_refused_for_good(runtime: Runtime, db: Books) -> None:
    endpoint = standing_in(runtime, advance_order, advance_order)
    headers, body = delivered(HELD)
    bad: list[tuple[dict[str, str], bytes]] = [
        (headers, b"{"),
        (headers, b"{}"),
        (headers, b'{"order_id": "no"}'),
        (headers | {"ce-type": HELD.type.replace(".v1", ".v2")}, body),
        (headers | {"ce-source": "/shop/payments/liar"}, body),
        (headers | {"ce-source": "/elsewhere"}, body),
        ({"content-type": "application/json"}, body),
        ({}, b""),
    ]
    for sent, content in bad:
        answer = await endpoint.handle("POST", "/", b"", sent, content)
        assert answer.status == 422, sent
        assert b"/shop/payments/liar" not in answer.body
    assert await db.all("select 1 from platform.attempts") == []


async def test_other_types_on_the_topic_are_none_of_its_business(runtime: Runtime, db: Books) -> None:
    endpoint = standing_in(runtime, release_hold, release_hold)
    headers, _ = delivered(ReleaseHold(order_id=UUID(int=1)))
    answer = await endpoint.handle("POST", "/", b"", headers | {"ce-type": "shop.inventory.rename.v1"}, b"\xff")
    assert answer.status == 204
    assert await db.all("select 1 from platform.inbox") == []


async def test_without_a_database_an_event_is_to_come_again(runtime: Runtime) -> None:
    away = Runtime.start(replace(runtime.settings, database_url="postgresql://shop_app@127.0.0.1:1/none"))
    endpoint = standing_in(away, advance_order, advance_order)
    assert (await post(endpoint, HELD)).status == 503
    assert (await endpoint.handle("GET", "/health/live", b"", {}, b"")).status == 200
    assert (await endpoint.handle("GET", "/health/ready", b"", {}, b"")).status == 503
    await away.stop()
