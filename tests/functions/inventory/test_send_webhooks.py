"""Webhooks arrive, signed, each alert under one id, however often it has to be sent."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from functions.inventory.send_alerts import call, prepare, send_alerts
from shared.inventory.alert_deliveries import AT_ONCE, LEASE_S, LONGEST_WAIT_S, OF_A_TARGET, TRIES
from shared.runtime.auth import Caller
from shared.runtime.serve import Runtime
from shared.runtime.settings import Settings
from shared.runtime.work import Cause, Fixed, unit_of_work
from tests.conftest import Books, Run, declaration_of
from tests.functions.inventory.alerting import SECRET, Hear, Sender, add_target, enough, hearer, low, out, short
from tests.functions.inventory.conftest import Stocked
from tests.receivers import HookReceiver, hook_receiver, refused_port

LOG = """
select number, outcome, answer, reason, ended_at is not null as ended from inventory.alert_attempts order by number
"""
DELIVERIES = "select * from inventory.alert_deliveries order by created_at, id"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, egress_guard=False)


@pytest.fixture
def hear(endpoint_of: Callable[[Callable[..., Any]], Any], stocked: Stocked, db: Books) -> Hear:
    return hearer(endpoint_of)


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with hook_receiver() as running:
        yield running


@pytest.fixture
async def send(run: Run, db: Books) -> Sender:
    """Begins after whatever is raised in the test, which has the database's own time."""
    return Sender(run, db, await db.value("select now() + interval '1 minute'"))


def verified(receiver: HookReceiver) -> Any:
    """The last call's content, by the reference implementation. Raises WebhookVerificationError."""
    return Webhook(SECRET).verify(receiver.calls[-1].body, receiver.calls[-1].headers)


async def test_an_alert_arrives_signed(hear: Hear, send: Sender, receiver: HookReceiver, db: Books) -> None:
    await add_target(db, receiver.url + "/stock?token=t")
    await hear(low(available=3))
    await send()

    (made,) = receiver.calls
    delivery = await db.one(DELIVERIES)
    assert made.path == "/stock?token=t"
    assert made.headers["content-type"] == "application/json"
    assert made.headers["webhook-id"] == str(delivery.id)
    assert verified(receiver) == {
        "type": "inventory.stock.low",
        "timestamp": "2026-03-01T12:00:00.000000Z",
        "data": {"sku": "MUG", "status": "low", "was": "in_stock", "available": 3, "low_at": 5},
    }
    assert (delivery.status, delivery.attempts, delivery.answer) == ("delivered", 1, 200)


async def test_what_was_altered_on_its_way_is_told(hear: Hear, send: Sender, receiver: HookReceiver, db: Books) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    await send()
    receiver.calls[0].body = receiver.calls[0].body.replace(b"MUG", b"TEA")

    with pytest.raises(WebhookVerificationError):
        verified(receiver)


async def test_each_alert_is_sent_once(hear: Hear, send: Sender, receiver: HookReceiver, db: Books) -> None:
    await add_target(db, receiver.url)
    for event in (low(), out(), enough(), short(2), short(0)):
        await hear(event)
    for _ in range(4):
        await send(after=timedelta(hours=1))

    assert sorted(json.loads(made.body)["type"] for made in receiver.calls) == [
        "inventory.stock.back_in_stock",
        "inventory.stock.low",
        "inventory.stock.made_good",
        "inventory.stock.out",
        "inventory.stock.shortfall",
    ]
    assert len(set(receiver.ids)) == 5


async def test_a_fault_is_tried_again_under_the_same_id(
    hear: Hear, send: Sender, receiver: HookReceiver, db: Books
) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = [500, "break", 404, 200]
    await send()
    for _ in range(3):
        await send.at_next()
        assert verified(receiver)["type"] == "inventory.stock.low"

    assert len(receiver.calls) == 4
    assert len(set(receiver.ids)) == 1, "so that a receiver can tell"
    assert len({made.body for made in receiver.calls}) == 1
    assert len({made.headers["webhook-timestamp"] for made in receiver.calls}) == 4
    assert [(row.outcome, row.answer) for row in await db.all(LOG)] == [
        ("retry", 500), ("retry", None), ("retry", 404), ("delivered", 200),
    ]  # fmt: skip
    assert (await db.one(DELIVERIES)).status == "delivered"


async def test_tries_take_about_a_day_and_then_end(hear: Hear, send: Sender, receiver: HookReceiver, db: Books) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = [503] * 100
    began = send.now
    await send()
    waits = [(await send.at_next()).total_seconds() for _ in range(TRIES - 1)]

    assert timedelta(hours=18) < send.now - began < timedelta(hours=28)
    assert all(later > sooner for sooner, later in pairwise(waits[:8])), waits
    assert max(waits) <= LONGEST_WAIT_S * 1.2
    delivery = await db.one(DELIVERIES)
    assert (delivery.status, delivery.attempts, delivery.next_at) == ("failed", TRIES, None)
    await send(after=timedelta(days=2))
    assert len(receiver.calls) == TRIES


async def test_the_receiver_may_say_when_to_come_again(
    hear: Hear, send: Sender, receiver: HookReceiver, db: Books
) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = [(429, {"retry-after": "600"}), (503, {"retry-after": "99999999"}), (503, {"retry-after": "?"})]
    await send()

    assert await send.at_next() == timedelta(seconds=600)
    assert await send.at_next() == timedelta(seconds=LONGEST_WAIT_S), "no longer than we would wait ourselves"
    assert await send.at_next() < timedelta(seconds=60)


async def test_a_redirect_is_not_followed(hear: Hear, send: Sender, receiver: HookReceiver, db: Books) -> None:
    async with hook_receiver() as elsewhere:
        await add_target(db, receiver.url)
        await hear(low())
        receiver.answers = [(302, {"location": elsewhere.url}), (307, {"location": elsewhere.url})]
        await send()
        await send.at_next()

        assert elsewhere.calls == []
    assert [(row.outcome, row.answer) for row in await db.all(LOG)] == [("retry", 302), ("retry", 307)]


async def test_nobody_listens(hear: Hear, send: Sender, db: Books) -> None:
    await add_target(db, f"http://127.0.0.1:{refused_port()}")
    await hear(low())
    await send()

    (attempt,) = await db.all(LOG)
    assert (attempt.outcome, attempt.answer, attempt.reason) == ("retry", None, "No connection was made.")


async def test_an_answer_that_does_not_end_is_not_read(
    hear: Hear, send: Sender, receiver: HookReceiver, db: Books
) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = ["endless"]
    await send()

    assert (await db.one(DELIVERIES)).status == "delivered"


async def test_a_receiver_that_hangs_holds_up_no_other(
    hear: Hear, send: Sender, receiver: HookReceiver, db: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.runtime.egress.POST_S", 0.5)
    async with hook_receiver() as well:
        await add_target(db, receiver.url)
        await add_target(db, well.url)
        await hear(low())
        receiver.answers = ["hang"]
        await send()

        assert len(well.calls) == 1
    reasons = {row.reason for row in await db.all(DELIVERIES)}
    assert reasons == {"There was no answer within 0.5 s.", "HTTP status 200"}


async def test_410_gone_disables_the_target(hear: Hear, send: Sender, receiver: HookReceiver, db: Books) -> None:
    target = await add_target(db, receiver.url)
    await hear(low())
    await hear(out())
    receiver.answers = [410, 500]
    await send()
    await hear(short(1))
    await send(after=timedelta(days=1))

    assert len(receiver.calls) == 2
    row = await db.one("select * from inventory.alert_targets where id = %(target)s", target=target)
    assert (row.enabled, row.disabled_reason, row.version) == (False, "gone", 2)
    assert [(one.status, one.answer) for one in sorted(await db.all(DELIVERIES), key=lambda one: one.answer)] == [
        ("failed", 410), ("failed", 500),
    ]  # fmt: skip


async def test_one_target_with_much_to_be_told_holds_up_no_other(
    send: Sender, receiver: HookReceiver, db: Books
) -> None:
    async with hook_receiver() as other:
        busy, idle = await add_target(db, receiver.url), await add_target(db, other.url)
        for target, count, age in ((busy, 30, timedelta(hours=1)), (idle, 1, timedelta())):
            await db.run(
                """insert into inventory.alert_deliveries (id, target, status, next_at, created_at, asked_at)
                   select gen_random_uuid(), %(target)s, 'pending', %(at)s, %(at)s, %(at)s
                   from generate_series(1, %(count)s)""",
                target=target, count=count, at=send.now - age,
            )  # fmt: skip
        await send()

        assert OF_A_TARGET < AT_ONCE
        assert (len(receiver.calls), len(other.calls)) == (OF_A_TARGET, 1)


async def test_a_run_that_dies_leaves_its_work_to_the_next_under_the_same_id(
    hear: Hear, send: Sender, receiver: HookReceiver, db: Books, runtime: Runtime
) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    claimed = await claim(runtime, send.now)
    sent = await call(claimed, runtime.egress)  # and then it is killed
    await send(after=timedelta(seconds=LEASE_S - 1))
    assert len(receiver.calls) == 1, "it is still in the first run's hands"
    await send(after=timedelta(seconds=2))

    assert len(receiver.calls) == 2
    assert len(set(receiver.ids)) == 1
    assert [(row.outcome, row.ended) for row in await db.all(LOG)] == [(None, False), ("delivered", True)]

    await finish(runtime, send.now, sent)  # it was only slow, after all
    assert [row.outcome for row in await db.all(LOG)] == ["delivered", "delivered"]
    assert (await db.one(DELIVERIES)).attempts == 2


async def test_a_late_fault_does_not_undo_what_another_run_has_done(
    hear: Hear, send: Sender, receiver: HookReceiver, db: Books, runtime: Runtime
) -> None:
    await add_target(db, receiver.url)
    await hear(low())
    receiver.answers = [500, 200]
    sent = await call(await claim(runtime, send.now), runtime.egress)
    await send(after=timedelta(seconds=LEASE_S + 1))
    await finish(runtime, send.now, sent)

    assert (await db.one(DELIVERIES)).status == "delivered"
    assert [row.outcome for row in await db.all(LOG)] == ["retry", "delivered"]


async def test_two_runs_at_once_take_nothing_twice(
    hear: Hear, send: Sender, receiver: HookReceiver, db: Books, runtime: Runtime
) -> None:
    await add_target(db, receiver.url)
    for event in (low(), out(), short(1)):
        await hear(event)
    declaration = declaration_of(send_alerts)

    async with unit_of_work(runtime.database, declaration, NOBODY, Cause("1"), fixed=fixed(send.now)) as one:
        first = await prepare(one)
        second = await claim(runtime, send.now)
    assert (len(first), len(second)) == (3, 0)


NOBODY = Caller("", frozenset())


async def claim(runtime: Runtime, now: datetime) -> Any:
    declaration = declaration_of(send_alerts)
    async with unit_of_work(runtime.database, declaration, NOBODY, Cause("test"), fixed=fixed(now)) as work:
        return await prepare(work)


async def finish(runtime: Runtime, now: datetime, sent: Any) -> None:
    declaration = declaration_of(send_alerts)
    async with unit_of_work(runtime.database, declaration, NOBODY, Cause("test"), fixed=fixed(now)) as work:
        await send_alerts(sent, work)


def fixed(now: datetime) -> Fixed:

    return Fixed(now, uuid4)
