"""What nobody finished is asked for by its key, sent if the provider never heard of it, and answered late."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.refund_payment import refund_payment
from functions.payments.resolve_unknown_payments import resolve_unknown_payments
from functions.payments.void_payment import void_payment
from shared.payments.events import (
    CaptureFailed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentUnknown,
    PaymentVoided,
    RefundSucceeded,
)
from tests.conftest import NOW, Books, Run
from tests.functions.payments.commands import authorize, capture, refund, refund_id, void
from tests.functions.payments.conftest import Halt, charged
from tests.provider import ProviderServer

SOON = NOW + timedelta(seconds=2)


def authorized(order: UUID) -> PaymentAuthorized:
    return PaymentAuthorized(order_id=order, command_key=f"{order}:authorize", amount_minor=1000, currency="GBP")


def unknown(order: UUID) -> PaymentUnknown:
    return PaymentUnknown(order_id=order, command_key=f"{order}:authorize", operation="authorize")


async def test_nothing_to_resolve(run: Run) -> None:
    assert (await run(resolve_unknown_payments, now=SOON))[1] == []


@pytest.mark.parametrize("token", ["tok_timeout_after_charge", "tok_error_after_charge"])
async def test_a_charge_that_was_made_is_found_by_its_key(
    run: Run, db: Books, provider: ProviderServer, order: UUID, token: str
) -> None:
    await run(authorize_payment, authorize(order, token))
    _, emitted = await run(resolve_unknown_payments, now=SOON)

    assert emitted == [authorized(order)]
    assert charged(provider, order) == (1000, 0, 0, 0)
    assert (await db.one("select state, queries from payments.attempts")) == ("succeeded", 1)
    assert (await run(resolve_unknown_payments, now=SOON + timedelta(hours=1)))[1] == []


async def test_what_the_provider_never_heard_of_is_sent_again_under_its_key(
    run: Run, provider: ProviderServer, order: UUID
) -> None:
    token = "tok_seq:error,approve,capture_fails"
    assert (await run(authorize_payment, authorize(order, token)))[1] == [unknown(order)]
    assert charged(provider, order) == (0, 0, 0, 0)

    assert (await run(resolve_unknown_payments, now=SOON))[1] == [authorized(order)]
    assert (await run(capture_payment, capture(order)))[1] == [
        CaptureFailed(order_id=order, command_key=f"{order}:capture", amount_minor=1000, code="capture_failed")
    ]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_every_operation_is_resolved(run: Run, provider: ProviderServer, order: UUID) -> None:
    paid, cancelled = order, uuid4()
    fault = "error_after_charge"
    await run(authorize_payment, authorize(paid, f"tok_seq:approve,{fault},{fault}"))
    await run(authorize_payment, authorize(cancelled, f"tok_seq:approve,{fault}"))
    await run(capture_payment, capture(paid))
    await run(void_payment, void(cancelled))

    _, emitted = await run(resolve_unknown_payments, now=SOON)
    assert sorted(emitted, key=lambda event: event.type) == [
        PaymentCaptured(order_id=paid, command_key=f"{paid}:capture", amount_minor=1000, currency="GBP"),
        PaymentVoided(order_id=cancelled, command_key=f"{cancelled}:void", amount_minor=1000),
    ]

    await run(refund_payment, refund(paid, 1, 250))
    assert (await run(resolve_unknown_payments, now=SOON))[1] == [
        RefundSucceeded(
            order_id=paid,
            refund_id=refund_id(paid, 1),
            command_key=f"{paid}:refund:1",
            amount_minor=250,
            currency="GBP",
        )
    ]
    assert charged(provider, paid) == (1000, 1000, 0, 250)


async def test_an_absent_provider_is_asked_again_ever_more_rarely(
    run: Run, db: Books, provider: ProviderServer, order: UUID
) -> None:
    provider.kill()
    try:
        assert (await run(authorize_payment, authorize(order)))[1] == [unknown(order)]
        now, pauses = SOON, []
        for _ in range(5):
            assert (await run(resolve_unknown_payments, now=now))[1] == []
            attempt = await db.one("select state, next_query_at from payments.attempts")
            assert attempt.state == "unknown"
            pauses.append((attempt.next_query_at - now).total_seconds())
            assert (await run(resolve_unknown_payments, now=now + timedelta(seconds=1)))[1] == []
            now = attempt.next_query_at
    finally:
        provider.start()

    assert pauses == [5, 10, 20, 30, 30]
    assert (await run(resolve_unknown_payments, now=now))[1] == [authorized(order)]
    assert charged(provider, order) == (1000, 0, 0, 0)


@pytest.mark.parametrize("called", [True, False])
async def test_what_a_killed_process_left_is_driven_on(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID, called: bool
) -> None:
    await halt(authorize_payment, authorize(order), called=called)

    assert (await run(resolve_unknown_payments, now=NOW + timedelta(seconds=14)))[1] == []
    assert (await run(resolve_unknown_payments, now=NOW + timedelta(seconds=16)))[1] == [authorized(order)]
    assert charged(provider, order) == (1000, 0, 0, 0)
    assert (await run(authorize_payment, authorize(order)))[1] == [authorized(order)]


async def test_a_cancellation_waits_for_the_answer_and_then_voids(
    run: Run, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order, "tok_error_after_charge"))
    assert (await run(void_payment, void(order)))[1] == []
    assert (await run(void_payment, void(order)))[1] == []
    assert charged(provider, order) == (1000, 0, 0, 0)

    assert (await run(resolve_unknown_payments, now=SOON))[1] == [authorized(order)]
    assert (await run(resolve_unknown_payments, now=SOON + timedelta(seconds=2)))[1] == [
        PaymentVoided(order_id=order, command_key=f"{order}:void", amount_minor=1000)
    ]
    assert charged(provider, order) == (1000, 0, 1000, 0)
    assert (await db.one("select status from payments.payments")).status == "voided"


async def test_commands_that_wait_are_taken_in_their_order(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_seq:error_after_charge"))
    await run(capture_payment, capture(order), now=NOW + timedelta(milliseconds=1))
    await run(refund_payment, refund(order, 1, 400), now=NOW + timedelta(milliseconds=2))

    said = []
    for second in range(2, 8):
        _, emitted = await run(resolve_unknown_payments, now=NOW + timedelta(seconds=second))
        said += [type(event).__name__ for event in emitted]

    assert said == ["PaymentAuthorized", "PaymentCaptured", "RefundSucceeded"]
    assert charged(provider, order) == (1000, 1000, 0, 400)


async def test_ticks_at_once_settle_once(run: Run, db: Books, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_error_after_charge"))

    runs = await asyncio.gather(*(run(resolve_unknown_payments, now=SOON) for _ in range(4)))

    assert [event for _, emitted in runs for event in emitted] == [authorized(order)]
    assert await db.value("select count(*) from payments.ledger") == 1


async def test_a_slow_handler_and_the_timer_settle_once(run: Run, halt: Halt, db: Books, order: UUID) -> None:
    go_on = await halt(authorize_payment, authorize(order))
    assert (await run(resolve_unknown_payments, now=NOW + timedelta(seconds=16)))[1] == [authorized(order)]

    assert await go_on() == []
    assert await db.value("select count(*) from payments.ledger") == 1
