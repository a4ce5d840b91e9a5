"""Rate limits: exact over many instances, cheap under a flood, fair to the small, and no new way to fail."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from time import monotonic
from typing import Any

import psycopg
import pytest

from functions.orders.place_order import place_order
from infra.local.postgres import Cloned
from shared.runtime import limits
from shared.runtime.answers import Answer
from shared.runtime.buckets import Bucket, Rate, Recent
from shared.runtime.db import Database
from shared.runtime.limits import Limiter
from shared.runtime.serve import Endpoint, Runtime
from shared.runtime.settings import Settings
from tests.conftest import Books
from tests.issuer import Issuer
from tests.processes import free_port
from tests.shared.runtime.declared import standing_in
from tests.shared.runtime.test_http import Wire

ROLE = "fn_place_order"
NEARLY_EMPTY = "insert into platform.rate_limits values ('fn_place_order', 'ann', 1, 0, clock_timestamp())"


@pytest.fixture
async def instances(settings: Settings) -> AsyncIterator[list[Runtime]]:
    running = [Runtime.start(settings) for _ in range(4)]
    yield running
    for one in running:
        await one.stop()


def limiters(instances: list[Runtime], rate: Rate) -> list[Limiter]:
    return [Limiter(one.database, ROLE, rate) for one in instances]


@pytest.mark.parametrize("rate", [Rate(50, 40), Rate(200, 200), Rate(3, 1), Rate(0.1, 30)])
async def test_all_instances_together_let_no_more_through_than_the_bucket_gives(
    rate: Rate, instances: list[Runtime], db: Books
) -> None:
    admitted = 0
    over = asyncio.Event()

    async def caller(limiter: Limiter) -> None:
        nonlocal admitted
        while not over.is_set():
            verdict = await limiter.take("ann")
            admitted += not verdict.wait_s
            await asyncio.sleep(0)

    began = await db.value("select clock_timestamp()")
    callers = [asyncio.create_task(caller(limiter)) for limiter in limiters(instances, rate) for _ in range(8)]
    await asyncio.sleep(1.5)
    over.set()
    await asyncio.gather(*callers)
    elapsed_s = (await db.value("select clock_timestamp()") - began).total_seconds()

    assert rate.burst <= admitted <= rate.burst + rate.per_s * elapsed_s


async def test_at_once_and_from_everywhere_the_burst_is_exact(instances: list[Runtime]) -> None:
    several = limiters(instances, Rate(0.01, 30))
    verdicts = await asyncio.gather(*(several[number % 4].take("ann") for number in range(200)))
    assert sum(not verdict.wait_s for verdict in verdicts) == 30


async def test_principals_and_functions_have_buckets_of_their_own(runtime: Runtime, db: Books) -> None:
    rate = Rate(0.01, 1)
    one = Limiter(runtime.database, ROLE, rate)
    assert [(await one.take(name)).wait_s > 0 for name in ("ann", "ben", "ann")] == [False, False, True]
    await db.run("insert into platform.rate_limits values ('fn_other', 'eve', 0, 0, now())")
    assert not (await one.take("eve")).wait_s


async def test_another_functions_buckets_are_out_of_reach(database: Cloned, db: Books) -> None:
    await db.run("insert into platform.rate_limits values ('fn_other', 'eve', 0, 0, now())")
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("set role fn_place_order")
        assert connection.execute("select * from platform.rate_limits").fetchall() == []
        assert connection.execute("update platform.rate_limits set tokens = 9").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("insert into platform.rate_limits values ('fn_other', 'eve', 0, 0, now())")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from platform.rate_limits")


async def test_a_lease_is_spent_without_the_database(runtime: Runtime, db: Books) -> None:
    limiter = Limiter(runtime.database, ROLE, Rate(100, 1000))
    for _ in range(7):  # one, two, then four
        assert not (await limiter.take("ann")).wait_s
    assert [row.taken for row in await db.all("select taken from platform.rate_limits")] == [4]
    await limiter.take("ann")
    await db.run("alter table platform.rate_limits rename to away")
    for _ in range(7):
        assert not (await limiter.take("ann")).wait_s
    with pytest.raises(psycopg.errors.UndefinedTable):
        await limiter.take("ann")


async def test_a_flood_costs_the_database_nothing(runtime: Runtime, db: Books) -> None:
    limiter = Limiter(runtime.database, ROLE, Rate(0.1, 1))
    await limiter.take("ann")
    await limiter.take("ann")
    await db.run("alter table platform.rate_limits rename to away")
    verdicts = [await limiter.take("ann") for _ in range(1000)]
    assert {verdict.wait_s for verdict in verdicts} <= {9, 10}


async def test_what_is_refused_may_come_again_when_a_token_is_due(runtime: Runtime) -> None:
    limiter = Limiter(runtime.database, ROLE, Rate(5, 1))
    assert not (await limiter.take("ann")).wait_s
    assert (await limiter.take("ann")).wait_s == 1
    await asyncio.sleep(0.25)
    assert not (await limiter.take("ann")).wait_s


async def test_a_block_is_as_small_as_what_is_left(instances: list[Runtime], db: Books) -> None:
    """Whoever had much before leaves the rest to others, to the last token."""
    big, small, *_ = limiters(instances, Rate(0.01, 100))
    big._most = 50
    for _ in range(63):  # leases of 1, 2, 4, 8, 16, 32
        assert not (await big.take("ann")).wait_s
    taken = [not (await one.take("ann")).wait_s for _ in range(50) for one in (small, big)]
    assert sum(taken) == 37
    assert await db.value("select floor(tokens) from platform.rate_limits") == 0


async def test_who_comes_rarely_and_everywhere_is_not_starved_by_blocks(instances: list[Runtime], db: Books) -> None:
    """Half of the rate, each request at another instance, out of a bucket that was empty at first."""
    await db.run(NEARLY_EMPTY)
    several = limiters(instances, Rate(20, 200))
    for number in range(30):
        assert not (await several[number % 4].take("ann")).wait_s, number
        await asyncio.sleep(0.1)


async def test_leases_that_nobody_spent_are_lost(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LEASE_S", 0.05)
    limiter = Limiter(runtime.database, ROLE, Rate(100, 100))
    limiter._most = 64
    for _ in range(16):
        await limiter.take("ann")
    held = limiter._leases["ann"].tokens
    await asyncio.sleep(0.1)
    await limiter.take("ann")
    assert held > 0
    assert limiter._leases["ann"].tokens == 0, "a new lease, of one"


async def test_without_the_database_each_instance_keeps_the_limit_itself(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none", 2)
    one, other = (Limiter(nowhere, ROLE, Rate(0.01, 5)) for _ in range(2))
    for limiter in (one, other):
        began = monotonic()
        verdicts = [await limiter.take("ann") for _ in range(20)]
        assert [not verdict.wait_s for verdict in verdicts] == [True] * 5 + [False] * 15
        assert verdicts[0].headers["ratelimit"] == '"default";r=4;t=100'
        assert monotonic() - began < 2


async def test_a_database_that_hangs_costs_a_second_at_most(runtime: Runtime, db: Books, database: Cloned) -> None:
    await db.run(NEARLY_EMPTY)
    limiter = Limiter(runtime.database, ROLE, Rate(0.1, 10))
    with psycopg.connect(database.owner_url) as blocking:
        blocking.execute("select from platform.rate_limits for update")
        began = monotonic()
        assert not (await limiter.take("ann")).wait_s
        assert 0.9 < monotonic() - began < 1.9, "not until the lock's own limit"
        began = monotonic()
        assert not (await limiter.take("ben")).wait_s
        assert monotonic() - began < 0.9, "and nobody else meanwhile"
    await asyncio.sleep(1)
    await limiter.take("ann")
    assert (await limiter.take("ann")).wait_s, "it is there again, and so is what it knows"


async def test_memory_is_bounded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PRINCIPALS", 3)
    limiter = Limiter(runtime.database, ROLE, Rate(0.01, 1))
    for name in ("a", "b", "c", "d", "e"):
        assert not (await limiter.take(name)).wait_s
    assert len(limiter._leases) == 3
    assert (await limiter.take("a")).wait_s, "the database remembers"


def test_a_bucket_in_memory_gives_what_its_rate_says() -> None:
    bucket = Bucket(Rate(2, 3), 100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(100.25) == pytest.approx(0.25)
    assert [bucket.take(100.5), bucket.take(100.5)] == [0, 0.5]
    assert [bucket.take(1000.0) for _ in range(4)] == [0, 0, 0, 0.5], "no more than the burst"


def test_what_was_used_last_is_kept() -> None:
    kept: Recent[object] = Recent(object, 2)
    a, b = kept["a"], kept["b"]
    assert kept["a"] is a
    assert kept["c"] is not b
    assert kept["a"] is a
    assert kept["b"] is not b, "it made room for c"


@pytest.mark.parametrize(("per_s", "burst"), [(0, 1), (-1, 1), (1, 0), (0.001, 100)])
def test_a_rate_must_make_sense(per_s: float, burst: int) -> None:
    with pytest.raises(ValueError, match="bucket"):
        Rate(per_s, burst)


def test_a_scale_multiplies_every_limit() -> None:
    assert Rate(5, 50).scaled(2) == Rate(10, 100)
    assert Rate(5, 50).scaled(0.001) == Rate(0.005, 1)
    assert Rate(5, 50).scaled(0) is None


ORDER = json.dumps({"lines": [{"sku": "mug", "quantity": 1}], "payment_token": "tok"}).encode()


def limited(runtime: Runtime, rate: Rate, **changed: Any) -> Endpoint[Any]:
    return standing_in(runtime, place_order, place_order, rate=rate, **changed)


class Caller:
    def __init__(self, target: Endpoint[Any], issuer: Issuer, subject: str) -> None:
        self._target = target
        self._headers = {"authorization": f"Bearer {issuer.token(subject, 'customer')}", "idempotency-key": "k"}

    async def order(self, body: bytes = ORDER, **headers: str) -> Answer:
        sent = self._headers | {"content-type": "application/json"} | headers
        return await self._target.handle("POST", "/v1/orders", b"", sent, body)


async def test_every_answer_says_what_is_left(runtime: Runtime, issuer: Issuer) -> None:
    target = limited(runtime, Rate(0.5, 3))
    ann, ben = Caller(target, issuer, "ann"), Caller(target, issuer, "ben")
    answers = [await ann.order(), await ann.order(b"{"), await ann.order(b"[]"), await ann.order(b"{")]

    assert [answer.status for answer in answers] == [422, 400, 422, 429], "refused before its body is looked at"
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=3;w=6'}
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"default";r=2;t=2',
        '"default";r=1;t=4',
        '"default";r=0;t=6',
        '"default";r=0;t=2',
    ]
    assert answers[3].headers["retry-after"] == "2"
    assert answers[3].headers["content-type"] == "application/problem+json"
    assert json.loads(answers[3].body) == {
        "type": "urn:kn-shop:problem:too-many-requests",
        "title": "Too many requests in so short a time",
        "status": 429,
        "again_in_s": 2,
    }
    assert (await ben.order()).headers["ratelimit"] == '"default";r=2;t=2'


async def test_who_may_not_call_takes_nothing(runtime: Runtime, issuer: Issuer, db: Books) -> None:
    target = limited(runtime, Rate(1, 3))
    for header in ("Bearer x.y.z", f"Bearer {issuer.token('ann', 'operator')}"):
        answer = await Caller(target, issuer, "ann").order(authorization=header)
        assert answer.status in (401, 403)
        assert "ratelimit" not in answer.headers
    assert await db.all("select from platform.rate_limits") == []


async def test_limits_can_be_switched_off(settings: Settings, issuer: Issuer, db: Books) -> None:
    free = Runtime.start(replace(settings, rate_limit_scale=0))
    ann = Caller(limited(free, Rate(0.01, 1)), issuer, "ann")
    for _ in range(3):
        answer = await ann.order()
        assert (answer.status, "ratelimit" in answer.headers) == (422, False)
    assert await db.all("select from platform.rate_limits") == []
    await free.stop()


def from_address(target: Endpoint[Any], peer: str, forwarded: str = "", said: str = "") -> Wire:
    headers = {"x_forwarded_for": forwarded, "x_client_address": said}
    wire = Wire(target, **{name: value for name, value in headers.items() if value})
    wire._scope["client"] = (peer, 1234)
    return wire


async def test_who_has_no_name_is_known_by_the_address(settings: Settings, db: Books) -> None:
    for trusted, calls in (
        (0, [("9.9.9.1", "1.1.1.1", "2.2.2.2"), ("9.9.9.1", "3.3.3.3", "4.4.4.4")]),
        (1, [("127.0.0.1", "5.5.5.5, 9.9.9.2", ""), ("127.0.0.1", "6.6.6.6, 9.9.9.2", "")]),
        (2, [("127.0.0.1", "1.1.1.1, 9.9.9.3, 10.0.0.1", ""), ("127.0.0.1", "9.9.9.3, 10.0.0.2", "")]),
        (2, [("127.0.0.1", "1.1.1.1, 10.0.0.1", "9.9.9.4"), ("127.0.0.1", "7.7.7.7, 10.0.0.2", "9.9.9.4")]),
    ):
        behind = Runtime.start(replace(settings, trusted_proxies=trusted))
        target = limited(behind, Rate(0.01, 1), roles=("public",), idempotent=False)
        statuses = [await from_address(target, *call).send(ORDER) for call in calls]
        assert statuses[0] != 429
        assert statuses[1] == 429, (trusted, "one address is one caller, whatever it says of itself")
        await behind.stop()
    known = await db.all("select principal from platform.rate_limits order by 1")
    assert [row.principal for row in known] == [f"address 9.9.9.{n}" for n in (1, 2, 3, 4)]
