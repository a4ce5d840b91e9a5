"""A provider that is away is left alone: one of all instances finds out when it is back."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.resolve_unknown_payments import resolve_unknown_payments
from shared.payments.breaker import THRESHOLD
from shared.platform.events import BreakerClosed, BreakerOpened
from tests.conftest import NOW, Books, Run
from tests.functions.payments.commands import authorize, capture
from tests.functions.payments.conftest import charged
from tests.provider import ProviderServer

ROW = "select state, failures, tries from payments.breakers"


@pytest.fixture
def away(provider: ProviderServer) -> Iterator[ProviderServer]:
    provider.kill()
    yield provider
    if provider.process.poll() is not None:
        provider.start()


def names(emitted: list[Any]) -> list[str]:
    return [type(event).__name__ for event in emitted]


async def fail(run: Run, times: int) -> list[str]:
    said = []
    for _ in range(times):
        said += names((await run(authorize_payment, authorize(uuid4())))[1])
    return said


async def test_it_opens_after_so_many_calls_without_an_answer(run: Run, db: Books, away: ProviderServer) -> None:
    assert await fail(run, THRESHOLD - 1) == ["PaymentUnknown"] * (THRESHOLD - 1)
    assert await db.one(ROW) == ("closed", THRESHOLD - 1, 0)

    assert await fail(run, 1) == ["PaymentUnknown", "BreakerOpened"]
    assert await db.one(ROW) == ("open", THRESHOLD, 1)
    row = await db.one("select convert_from(data, 'UTF8') as data from platform.outbox where topic = 'shop.platform'")
    opened = BreakerOpened.model_validate_json(row.data)
    assert (opened.name, opened.failures, opened.retry_at) == ("provider", THRESHOLD, NOW + timedelta(seconds=5))


async def test_while_it_is_open_nobody_calls_and_payments_are_unknown_at_once(
    run: Run, db: Books, away: ProviderServer, order: UUID
) -> None:
    await fail(run, THRESHOLD)
    away.start()

    assert names((await run(authorize_payment, authorize(order)))[1]) == ["PaymentUnknown"]
    assert charged(away, order) == (0, 0, 0, 0)
    assert away.get(f"/v1/operations/{order}:authorize").status == 404

    later = NOW + timedelta(seconds=3)
    assert (await run(resolve_unknown_payments, now=later))[1] == [], "the timer leaves it alone, too"
    assert away.get(f"/v1/operations/{order}:authorize").status == 404


async def test_one_of_all_tries_when_it_is_time_and_closes_it(run: Run, db: Books, away: ProviderServer) -> None:
    await fail(run, THRESHOLD)
    away.start()
    later, orders = NOW + timedelta(seconds=6), [uuid4() for _ in range(8)]

    runs = await asyncio.gather(*(run(authorize_payment, authorize(one), now=later) for one in orders))

    called = [one for one in orders if charged(away, one) == (1000, 0, 0, 0)]
    said = [event for _, emitted in runs for event in emitted]
    assert names(said).count("BreakerClosed") == 1
    assert next(event for event in said if isinstance(event, BreakerClosed)).opened_at == NOW
    assert names(said).count("PaymentAuthorized") == len(called)
    assert 1 <= len(called) < len(orders), "those who came before the answer were held back"
    assert await db.one(ROW) == ("closed", 0, 0)

    tick, answers = later, []
    while await db.value("select count(*) from payments.attempts where finished_at is null"):
        tick += timedelta(seconds=31)
        answers += names((await run(resolve_unknown_payments, now=tick))[1])
    assert answers == ["PaymentAuthorized"] * (THRESHOLD + len(orders) - len(called))


async def test_a_try_that_fails_opens_it_for_twice_as_long(run: Run, db: Books, away: ProviderServer) -> None:
    await fail(run, THRESHOLD)
    now, pauses = NOW, []
    for _ in range(4):
        row = await db.one("select retry_at from payments.breakers")
        pauses.append((row.retry_at - now).total_seconds())
        now = row.retry_at
        assert names((await run(authorize_payment, authorize(uuid4()), now=now))[1]) == ["PaymentUnknown"]

    assert pauses == [5, 10, 20, 20]


async def test_whoever_tried_and_died_is_followed_by_another(run: Run, db: Books, away: ProviderServer) -> None:
    await fail(run, THRESHOLD)
    await db.run("update payments.breakers set state = 'half_open', retry_at = %(at)s", at=NOW + timedelta(seconds=10))
    away.start()
    assert names((await run(authorize_payment, authorize(uuid4())))[1]) == ["PaymentUnknown"]

    _, emitted = await run(authorize_payment, authorize(uuid4()), now=NOW + timedelta(seconds=10))

    assert names(emitted) == ["PaymentAuthorized", "BreakerClosed"]


async def test_an_answer_ends_the_count(run: Run, db: Books, away: ProviderServer, order: UUID) -> None:
    await fail(run, THRESHOLD - 1)
    away.start()
    assert names((await run(authorize_payment, authorize(order)))[1]) == ["PaymentAuthorized"]
    assert await db.one(ROW) == ("closed", 0, 0)

    await run(capture_payment, capture(order))
    away.kill()
    assert await fail(run, 1) == ["PaymentUnknown"]


async def test_failures_of_long_ago_do_not_count(run: Run, db: Books, away: ProviderServer) -> None:
    await fail(run, THRESHOLD - 1)

    await run(authorize_payment, authorize(uuid4()), now=NOW + timedelta(seconds=31))

    assert await db.one(ROW) == ("closed", 1, 0)


async def test_a_card_that_is_refused_is_an_answer(run: Run, db: Books) -> None:
    for _ in range(THRESHOLD + 1):
        await run(authorize_payment, authorize(uuid4(), "tok_decline"))

    assert await db.one(ROW) == ("closed", 0, 0)
