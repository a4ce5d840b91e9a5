"""KafkaSource's rules, over both carriers: order, retries, dead letters, replays after a crash."""

import asyncio
import time
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from infra.carriers import Consumer
from infra.dispatcher.delivery import NO_ANSWER, Deliver
from infra.dispatcher.dispatcher import LANE_RECORDS, Dispatcher, Rules
from infra.dispatcher.subscriptions import Subscription
from infra.dispatcher.timers import Schedule, Timers
from infra.relay.relay import Relay
from shared.runtime.events import family, partition_of
from tests.infra.conftest import Carrier, spawned

TYPE = "shop.orders.order.created.v1"
QUICK = Rules(retries=3, backoff_s=0.01, commit_s=0.1)


@dataclass
class Function:
    """Stands at the other end of the wire: answers by `script` and remembers what came."""

    script: Callable[[str, int], tuple[int, bytes]] = lambda _id, _attempt: (204, b"")
    pause_s: float = 0.0
    came: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lanes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def __call__(self, consumer: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        lane = f"{consumer} {headers['ce-knativekafkapartition']}"
        self.lanes[lane] += 1
        self.at_once += 1
        assert self.lanes[lane] == 1, "one in flight per lane"
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.came.append(headers["ce-id"])
        self.headers.append(headers)
        self.bodies.append(body)
        await asyncio.sleep(self.pause_s)
        self.lanes[lane] -= 1
        self.at_once -= 1
        return self.script(headers["ce-id"], self.came.count(headers["ce-id"]))


def subscription(
    carrier: Carrier, consumer: str = "confirm-order", *, types: tuple[str, ...] = (TYPE,)
) -> Subscription:
    families = frozenset(family(type_) for type_ in types) if types else None
    return Subscription(Consumer(carrier.name(consumer), (carrier.name("shop.orders"),)), families)


@asynccontextmanager
async def dispatching(
    carrier: Carrier, deliver: Deliver, *subscribed: Subscription, rules: Rules = QUICK
) -> AsyncIterator[Dispatcher]:
    """A relay and a dispatcher, both ended in good order."""
    relay = Relay(carrier.database.relay_url, carrier.outlet())
    relaying = Thread(target=relay.run)
    relaying.start()
    dispatcher = Dispatcher(carrier.source(), deliver, subscribed, rules)
    running = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        dispatcher.stop()
        async with asyncio.timeout(20):
            await running
        relay.stop()
        await asyncio.to_thread(relaying.join)


def emitted(carrier: Carrier, *keys: str, **values: object) -> list[str]:
    with psycopg.connect(carrier.database.owner_url) as connection:
        return [carrier.emit(connection, "shop.orders", key, **values) for key in keys]


async def until(done: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not done():  # noqa: ASYNC110 (what is waited for knows no events)
            await asyncio.sleep(0.01)


async def dead_letters(carrier: Carrier, consumer: str, count: int) -> list[tuple[Mapping[str, str], bytes]]:
    """What a collector of the consumer's dead-letter topic receives."""
    collector = Function()
    topic = f"shop.dead.{carrier.name(consumer)}"
    reader = Subscription(Consumer(carrier.name("collect-dead-letters"), (topic,)), None)
    async with dispatching(carrier, collector, reader):
        await until(lambda: len(collector.came) >= count)
    return list(zip(collector.headers, collector.bodies, strict=True))


async def test_each_key_in_order_and_partitions_side_by_side(carrier: Carrier) -> None:
    ids = {key: emitted(carrier, *[key] * 20) for key in ("order-1", "order-2", "order-3", "order-4")}
    function = Function(pause_s=0.005)
    async with dispatching(carrier, function, subscription(carrier)):
        await until(lambda: len(function.came) == 80)

    for expected in ids.values():
        assert [id_ for id_ in function.came if id_ in expected] == expected
    assert function.most_at_once == len({partition_of(key) for key in ids}) > 1


async def test_the_age_of_what_waits_is_told_until_it_is_delivered(carrier: Carrier) -> None:
    def age_s() -> float:
        labels = {"consumer": carrier.name("confirm-order")}
        return REGISTRY.get_sample_value("shop_dispatcher_oldest_seconds", labels) or 0.0

    away = True
    function = Function(script=lambda _id, _attempt: (503 if away else 204, b""))
    emitted(carrier, "order-1")
    async with dispatching(carrier, function, subscription(carrier), rules=replace(QUICK, retries=1000)):
        await until(lambda: age_s() > 0.3)
        away = False
        await until(lambda: age_s() == 0)


async def test_what_kafka_source_sends(carrier: Carrier) -> None:
    [id_] = emitted(carrier, "order ü", data=b'{"total_minor": 5}')
    function = Function()
    async with dispatching(carrier, function, subscription(carrier)):
        await until(lambda: len(function.came) == 1)

    headers = dict(function.headers[0])
    del headers["ce-time"]
    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": id_,
        "ce-source": "/shop/orders/test",
        "ce-type": TYPE,
        "ce-partitionkey": "order%20%C3%BC",
        "ce-sequence": "1",
        "ce-key": "order%20%C3%BC",
        "ce-knativekafkapartition": str(partition_of("order ü")),
        "ce-knativekafkaoffset": "0",
        "content-type": "application/json",
    }
    assert function.bodies == [b'{"total_minor": 5}']


async def test_types_not_subscribed_to_are_passed_over_but_unknown_versions_are_not(carrier: Carrier) -> None:
    emitted(carrier, "order-1", type="shop.orders.order.cancelled.v1")
    [unknown] = emitted(carrier, "order-1", type="shop.orders.order.created.v9")
    [known] = emitted(carrier, "order-1")
    function = Function()
    async with dispatching(carrier, function, subscription(carrier)):
        await until(lambda: len(function.came) == 2)

    assert function.came == [unknown, known]


@pytest.mark.parametrize("status", [503, 500, 404, 408, 409, 429, NO_ANSWER])
async def test_a_refusal_that_may_pass_is_retried_in_its_place(embedded: Carrier, status: int) -> None:
    first, second = emitted(embedded, "order-1", "order-1")
    function = Function(lambda id_, attempt: (status, b"") if id_ == first and attempt < 4 else (204, b""))
    async with dispatching(embedded, function, subscription(embedded)):
        await until(lambda: second in function.came)

    assert function.came == [first] * 4 + [second]


async def test_retries_wait_twice_as_long_each_time(embedded: Carrier) -> None:
    emitted(embedded, "order-1")
    times: list[float] = []

    async def refuse(_consumer: str, _headers: Mapping[str, str], _body: bytes) -> tuple[int, bytes]:
        times.append(time.monotonic())
        return 503, b""

    async with dispatching(embedded, refuse, subscription(embedded), rules=Rules(retries=3, backoff_s=0.1)):
        await until(lambda: len(times) == 4)

    waits = [after - before for before, after in pairwise(times)]
    for wait, least in zip(waits, (0.2, 0.4, 0.8), strict=True):
        assert least <= wait < 2 * least


@pytest.mark.parametrize("status", [422, 400, 401, 403, 413, 302])
async def test_poison_goes_to_the_dead_letters_at_once_and_later_events_go_on(embedded: Carrier, status: int) -> None:
    poison, healthy = emitted(embedded, "order-1", "order-1")
    function = Function(lambda id_, _attempt: (status, b"no") if id_ == poison else (204, b""))
    async with dispatching(embedded, function, subscription(embedded)):
        await until(lambda: healthy in function.came)

    assert function.came == [poison, healthy]
    [(headers, _)] = await dead_letters(embedded, "confirm-order", 1)
    assert headers["ce-knativeerrorcode"] == str(status)


async def test_a_dead_letter_keeps_the_event_and_says_why(carrier: Carrier) -> None:
    [id_] = emitted(carrier, "order-1", data=b"not json")
    answer = b'{"title": "Not an event"}' + b"x" * 2000
    function = Function(lambda _id, _attempt: (422, answer))
    async with dispatching(carrier, function, subscription(carrier)):
        await until(lambda: len(function.came) == 1)

    [(headers, body)] = await dead_letters(carrier, "confirm-order", 1)
    assert body == b"not json"
    assert (headers["ce-id"], headers["ce-source"], headers["ce-type"]) == (id_, "/shop/orders/test", TYPE)
    assert headers["ce-sequence"] == "1"
    assert headers["ce-knativeerrordest"] == f"http://{carrier.name('confirm-order')}.shop.svc.cluster.local"
    assert headers["ce-knativeerrorcode"] == "422"
    assert b64decode(headers["ce-knativeerrordata"]) == answer[:1024]


async def test_when_the_retries_are_used_up_the_event_is_not_lost(carrier: Carrier) -> None:
    first, second = emitted(carrier, "order-1", "order-1")
    function = Function(lambda id_, _attempt: (NO_ANSWER, b"") if id_ == first else (204, b""))
    async with dispatching(carrier, function, subscription(carrier)):
        await until(lambda: second in function.came)

    assert function.came == [first] * 4 + [second]
    [(headers, _)] = await dead_letters(carrier, "confirm-order", 1)
    assert "ce-knativeerrordest" in headers
    assert "ce-knativeerrorcode" not in headers


async def test_a_lane_that_is_held_up_is_read_again_and_holds_up_no_other(embedded: Carrier) -> None:
    held = emitted(embedded, *["order-1"] * (LANE_RECORDS * 2 + 100))
    [free] = emitted(embedded, "order-2")
    assert partition_of("order-1") != partition_of("order-2")
    released = False
    function = Function(lambda id_, _attempt: (503 if id_ == held[0] and not released else 204, b""))
    async with dispatching(embedded, function, subscription(embedded), rules=Rules(retries=100, backoff_s=0.0001)):
        await until(lambda: free in function.came)
        await asyncio.sleep(0.5)
        released = True
        await until(lambda: held[-1] in function.came)

    delivered = [id_ for id_ in function.came if id_ != free]
    assert delivered[delivered.count(held[0]) - 1 :] == held


async def test_done_events_are_not_delivered_again_after_an_orderly_end(carrier: Carrier) -> None:
    emitted(carrier, *["order-1"] * 10)
    function = Function()
    async with dispatching(carrier, function, subscription(carrier)):
        await until(lambda: len(function.came) == 10)
    [later] = emitted(carrier, "order-1")
    async with dispatching(carrier, function, subscription(carrier)):
        await until(lambda: later in function.came)

    assert len(function.came) == 11


async def test_the_database_lost_in_the_middle_loses_nothing(embedded: Carrier) -> None:
    ids = emitted(embedded, *[f"order-{n % 7}" for n in range(300)])
    function = Function(pause_s=0.002)
    async with dispatching(embedded, function, subscription(embedded), rules=Rules(commit_s=0.05)):
        with psycopg.connect(embedded.database.owner_url, autocommit=True) as connection:
            for part in (20, 120):
                await until(lambda: len(function.came) > part)  # noqa: B023
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and application_name = 'dispatcher'"
                )
        await until(lambda: set(function.came) == set(ids))

    firsts = list(dict.fromkeys(function.came))
    for n in range(7):
        assert [id_ for id_ in firsts if id_ in ids[n::7]] == ids[n::7]


@asynccontextmanager
async def listening(function: Function) -> AsyncIterator[str]:
    """The function behind HTTP, and the URL template that leads to it."""

    async def answer(request: web.Request) -> web.Response:
        status, body = await function(request.match_info["consumer"], request.headers, await request.read())
        return web.Response(status=status, body=body)

    application = web.Application()
    application.router.add_post("/{consumer}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/{{consumer}}"
    finally:
        await runner.cleanup()


async def test_replays_after_kill_9_are_runs_of_what_came_before(carrier: Carrier, tmp_path: Path) -> None:
    """`python -m infra.dispatcher` with the shop's own functions' subscriptions, delivering over HTTP."""
    carrier = replace(carrier, suffix="")
    type_, topic = "shop.payments.authorize.v1", "shop.payments.commands"
    with psycopg.connect(carrier.database.owner_url) as connection:
        ids = [carrier.emit(connection, topic, f"order-{n % 5}", type=type_) for n in range(200)]
    came: list[str] = []

    def script(id_: str, _attempt: int) -> tuple[int, bytes]:
        if id_ in ids:
            came.append(id_)
        return 204, b""

    function = Function(script, pause_s=0.005)
    function.lanes = _Uncounted()
    async with listening(function) as template:
        environ = carrier.environ | {"DELIVER_TO": template, "DISPATCH_TIMERS": "off"}
        with spawned("infra.relay", carrier.environ, tmp_path / "relay.log"):
            for part in (30, 90, 200):
                with spawned("infra.dispatcher", environ, tmp_path / "dispatcher.log"):
                    await until(lambda: len(set(came)) >= part, 60)  # noqa: B023

    assert set(came) == set(ids)
    firsts = list(dict.fromkeys(came))
    for n in range(5):
        assert [id_ for id_ in firsts if id_ in ids[n::5]] == ids[n::5]


class _Uncounted(dict[str, int]):
    """A killed dispatcher's last requests may still run beside its successor's."""

    def __getitem__(self, _lane: str) -> int:
        return 1

    def __setitem__(self, _lane: str, _count: int) -> None:
        return


async def test_only_one_of_two_processes_ticks_and_the_other_takes_over(embedded: Carrier) -> None:
    ticks: dict[str, list[Mapping[str, str]]] = {"first": [], "second": []}

    def ticking(name: str) -> asyncio.Task[None]:
        async def deliver(consumer: str, headers: Mapping[str, str], _body: bytes) -> tuple[int, bytes]:
            assert consumer == "expire-holds"
            ticks[name].append(headers)
            return 204, b""

        timers = Timers(embedded.database.relay_url, deliver, [Schedule("expire-holds", "* * * * * *")])
        return asyncio.create_task(timers.run())

    first = ticking("first")
    await until(lambda: bool(ticks["first"]))
    second = ticking("second")
    await until(lambda: len(ticks["first"]) >= 3)
    assert not ticks["second"]
    first.cancel()
    await until(lambda: bool(ticks["second"]), 5)
    second.cancel()
    await asyncio.wait([first, second])

    headers = ticks["first"][0]
    assert headers["ce-type"] == "dev.knative.sources.ping"
    assert headers["ce-source"] == "/apis/v1/namespaces/shop/pingsources/expire-holds"
    assert len({tick["ce-id"] for tick in ticks["first"]}) == len(ticks["first"])
