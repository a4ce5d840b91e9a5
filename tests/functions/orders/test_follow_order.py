"""Whoever follows an order is told everything once, however often the connection breaks."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from functions.orders import follow_order as following
from functions.orders.follow_order import follow_order
from functions.orders.get_order import get_order
from infra.gateway.proxy import Gateway
from infra.local.routes import Routes
from shared.orders.saga import State
from shared.runtime.asgi import Receive, Scope, Send
from shared.runtime.serve import Endpoint, Runtime, serve
from shared.runtime.settings import Settings
from tests.conftest import CUSTOMER, Ask, Books, Run
from tests.functions.orders.sagas import order_at
from tests.issuer import Issuer
from tests.serving import serving


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Its two connections are enough for any number of followers, and for what they are told of."""
    running = Runtime.start(replace(settings, db_pool=2, rate_limit_scale=1000))
    yield running
    await running.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOKS_EVERY_S", 0.05)


class Follower:
    """What a browser does: reads events, remembers the last id, comes again with it."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.ids: list[str] = []
        self.seen: list[dict[str, Any]] = []
        self.comments = 0

    async def read(self, until: Callable[["Follower"], bool]) -> None:
        """One connection, left as soon as `until` is so, or ended by the server."""
        headers = {"authorization": f"Bearer {self.token}", "accept": "text/event-stream"}
        if self.ids:
            headers["last-event-id"] = self.ids[-1]
        async with aiohttp.ClientSession() as http, http.get(self.url, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.headers["cache-control"] == "no-store, no-transform"
            fields: dict[str, str] = {}
            async for line in answer.content:
                said = line.decode().rstrip("\n")
                if said.startswith(":"):
                    self.comments += 1
                elif said:
                    name, _, value = said.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    self.ids.append(fields["id"])
                    self.seen.append(json.loads(fields["data"]) | {"event": fields["event"]})
                    fields = {}
                if until(self):
                    return


@pytest.fixture(params=["bare", "gateway"])
async def origin(request: pytest.FixtureRequest, endpoint_of: Callable[[Any], Endpoint[Any]]) -> AsyncIterator[str]:
    """Where the function is served: by itself, and behind the gateway."""
    target = endpoint_of(follow_order)

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await serve(target, scope, receive, send)

    async with serving(bare) as port:
        if request.param == "bare":
            yield f"http://127.0.0.1:{port}"
            return
        routes: Routes[str] = Routes()
        routes.add("GET", "/v1/orders/{order_id}/events", str(port))
        gateway = Gateway(routes, "http://127.0.0.1:{service}")
        async with serving(gateway) as outer:
            yield f"http://127.0.0.1:{outer}"
        await gateway.close()


async def sent(db: Books, order: UUID) -> list[tuple[str, int]]:
    """What was left to the outbox of what has happened, as it was committed."""
    rows = await db.all(
        """select type, sequence from platform.outbox
        where key = %(key)s and topic in ('shop.orders', 'shop.payments', 'shop.holds') order by position""",
        key=str(order),
    )
    return [(row.type, row.sequence) for row in rows]


async def say(db: Books, order: UUID, topic: str, count: int = 1) -> None:
    """What another function would have left to the outbox."""
    await db.run(
        """with n as (
          insert into platform.streams values (%(topic)s, %(key)s, %(count)s)
          on conflict (topic, key) do update set sequence = platform.streams.sequence + %(count)s returning sequence)
        insert into platform.outbox (id, source, type, topic, partition, key, sequence, time, data)
        select gen_random_uuid()::text, '/shop/test', %(topic)s || '.said.v1', %(topic)s, 0, %(key)s,
          sequence - %(count)s + i, clock_timestamp(), convert_to('{"n": ' || i || ', "payment_token": "tok"}', 'UTF8')
        from n, generate_series(1, %(count)s) as i order by i""",
        topic=topic,
        key=str(order),
        count=count,
    )


async def test_a_follower_is_told_all_from_the_beginning_and_what_happens_next(
    origin: str, run: Run, db: Books, issuer: Issuer
) -> None:
    order = await order_at(run, State.AUTHORIZING)
    reader = Follower(f"{origin}/v1/orders/{order}/events", issuer.token(CUSTOMER.subject, "customer"))
    known = await sent(db, order)
    assert known, "it was placed"
    reading = asyncio.create_task(reader.read(lambda at: len(at.seen) == len(known) + 1))
    while len(reader.seen) < len(known):  # noqa: ASYNC110 - what comes over a socket has no event
        await asyncio.sleep(0.01)
    assert [item["event"] for item in reader.seen] == [type for type, _ in known]
    await say(db, order, "shop.payments")
    await asyncio.wait_for(reading, 10)
    assert reader.seen[-1]["event"] == "shop.payments.said.v1"
    assert reader.seen[-1]["data"] == {"n": 1, "payment_token": "[redacted]"}
    assert re.fullmatch(r"orders=1;payments=1", reader.ids[-1])


async def test_who_comes_again_misses_nothing_and_hears_nothing_twice(
    origin: str, run: Run, db: Books, issuer: Issuer
) -> None:
    order = await order_at(run, State.HOLDING)
    reader = Follower(f"{origin}/v1/orders/{order}/events", issuer.token(CUSTOMER.subject, "customer"))
    topics = ("shop.orders", "shop.payments", "shop.holds")
    chance = random.Random(7)

    async def speak() -> None:
        for n in range(60):
            await say(db, order, topics[n % 3], chance.randint(1, 4))
            await say(db, order, "shop.payments.commands")
            await asyncio.sleep(chance.random() * 0.03)

    speaking = asyncio.create_task(speak())
    connections = 0
    async with asyncio.timeout(60):
        while not speaking.done() or len(reader.seen) < len(await sent(db, order)):
            more = len(reader.seen) + chance.randint(1, 9)
            enough = min(more, len(await sent(db, order))) if speaking.done() else more
            await reader.read(lambda at, enough=enough: len(at.seen) >= enough)  # type: ignore[misc] # bound now
            connections += 1
    assert connections > 5, "it was cut off often enough to mean something"
    by_topic: dict[str, list[str]] = {}
    for item in reader.seen:
        by_topic.setdefault(item["event"].partition(".said")[0], []).append(item["event"])
    wanted = await sent(db, order)
    assert sorted(item["event"] for item in reader.seen) == sorted(type for type, _ in wanted)
    assert len(reader.ids) == len(set(reader.ids)) == len(wanted)
    last = dict(part.split("=") for part in reader.ids[-1].split(";"))
    for name in ("orders", "payments", "holds"):
        told = [number for type, number in wanted if type.startswith(f"shop.{name}")]
        assert int(last[name]) == max(told) == len(told)


async def test_a_stream_ends_itself_and_beats_while_nothing_happens(
    origin: str, run: Run, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LIVES_S", 1.0)
    monkeypatch.setattr(following, "BEATS_EVERY_S", 0.2)
    order = await order_at(run, State.HOLDING)
    reader = Follower(f"{origin}/v1/orders/{order}/events", issuer.token(CUSTOMER.subject, "customer"))
    began = asyncio.get_running_loop().time()
    await asyncio.wait_for(reader.read(lambda _: False), 10)
    assert asyncio.get_running_loop().time() - began >= 1.0
    assert reader.comments >= 2
    assert len(reader.seen) == 1
    await asyncio.wait_for(reader.read(lambda _: False), 10)
    assert len(reader.seen) == 1, "what was had is not told again"


async def test_many_followers_hold_no_connection(origin: str, run: Run, ask: Ask, db: Books, issuer: Issuer) -> None:
    order = await order_at(run, State.HOLDING)
    url, token = f"{origin}/v1/orders/{order}/events", issuer.token(CUSTOMER.subject, "customer")
    readers = [Follower(url, token) for _ in range(15)]
    reading = [asyncio.create_task(reader.read(lambda at: len(at.seen) == 2)) for reader in readers]
    while not all(reader.seen for reader in readers):  # noqa: ASYNC110 - what comes over a socket has no event
        await asyncio.sleep(0.01)
    answer = await ask(get_order, f"/v1/orders/{order}", roles=("customer",))
    assert answer.status == 200
    await say(db, order, "shop.orders")
    await asyncio.wait_for(asyncio.gather(*reading), 20)


async def test_one_follows_ones_own(ask: Ask, run: Run, db: Books) -> None:
    order = await order_at(run, State.HOLDING)
    path = f"/v1/orders/{order}/events"
    for caller, status in (("customer-2", 404), ("", 404)):
        assert (await ask(follow_order, path, roles=("customer",), subject=caller or "nobody")).status == status
    await db.run("update orders.orders set customer_id = null")
    assert (await ask(follow_order, path, roles=("customer",))).status == 404
    assert (await ask(follow_order, f"/v1/orders/{UUID(int=404)}/events", roles=("admin",))).status == 404
    assert (await ask(follow_order, path)).status == 401


@pytest.mark.parametrize("place", ["x", "orders=", "orders=-1", "orders=1,payments=2", "orders=" + "9" * 16, "o" * 300])
async def test_a_place_that_is_none_is_told(ask: Ask, run: Run, place: str) -> None:
    order = await order_at(run, State.HOLDING)
    answer = await ask(follow_order, f"/v1/orders/{order}/events", roles=("customer",), last_event_id=place)
    assert (answer.status, json.loads(answer.body)["type"]) == (422, "urn:kn-shop:problem:validation-failed")
