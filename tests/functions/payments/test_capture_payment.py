"""Taking the money: whole, in parts, refused, unanswered, twice."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.void_payment import void_payment
from shared.payments.events import CaptureFailed, PaymentCaptured, PaymentUnknown
from shared.runtime.answers import Answer
from tests.conftest import Books, Run
from tests.functions.payments.commands import authorize, capture, void
from tests.functions.payments.conftest import Halt, charged
from tests.provider import ProviderServer


def captured(order: UUID, amount_minor: int = 1000, key: str = "") -> PaymentCaptured:
    return PaymentCaptured(
        order_id=order, command_key=key or f"{order}:capture", amount_minor=amount_minor, currency="GBP"
    )


def failed(order: UUID, code: str, amount_minor: int = 1000, key: str = "") -> CaptureFailed:
    return CaptureFailed(order_id=order, command_key=key or f"{order}:capture", amount_minor=amount_minor, code=code)


async def test_all_that_is_authorised(run: Run, db: Books, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    _, emitted = await run(capture_payment, capture(order))

    assert emitted == [captured(order)]
    assert charged(provider, order) == (1000, 1000, 0, 0)
    assert (await db.one("select status from payments.payments")).status == "captured"


async def test_in_parts_and_never_more_than_is_left(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order))

    assert (await run(capture_payment, capture(order, 700, key=f"{order}:1")))[1] == [
        captured(order, 700, key=f"{order}:1")
    ]
    _, emitted = await run(capture_payment, capture(order, 301, key=f"{order}:2"))
    assert emitted == [failed(order, "exceeds_authorized", 301, key=f"{order}:2")]
    assert provider.get(f"/v1/operations/{order}:2").status == 404  # it was not troubled with what cannot be
    assert (await run(capture_payment, capture(order)))[1] == [captured(order, 300)]
    assert charged(provider, order) == (1000, 1000, 0, 0)


async def test_a_card_whose_capture_fails(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_capture_fails"))
    _, emitted = await run(capture_payment, capture(order))

    assert emitted == [failed(order, "capture_failed")]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_what_was_never_authorised(run: Run, order: UUID) -> None:
    assert (await run(capture_payment, capture(order)))[1] == [failed(order, "not_authorized", 0)]


async def test_what_was_declined(run: Run, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_decline"))

    assert (await run(capture_payment, capture(order)))[1] == [failed(order, "not_authorized", 0)]


async def test_what_was_voided(run: Run, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    await run(void_payment, void(order))

    assert (await run(capture_payment, capture(order)))[1] == [failed(order, "voided", 0)]


async def test_a_second_capture_takes_nothing(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    await run(capture_payment, capture(order))
    _, emitted = await run(capture_payment, capture(order, key=f"{order}:again"))

    assert emitted == [failed(order, "already_captured", 0, key=f"{order}:again")]
    assert charged(provider, order) == (1000, 1000, 0, 0)


@pytest.mark.parametrize("token", ["tok_seq:approve,timeout_after_charge", "tok_seq:approve,error_after_charge"])
async def test_a_capture_without_an_answer_is_unknown(
    run: Run, provider: ProviderServer, order: UUID, token: str
) -> None:
    await run(authorize_payment, authorize(order, token))
    _, emitted = await run(capture_payment, capture(order))

    assert emitted == [PaymentUnknown(order_id=order, command_key=f"{order}:capture", operation="capture")]
    assert charged(provider, order) == (1000, 1000, 0, 0)


async def test_a_process_that_dies_after_the_capture_captures_once(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    await halt(capture_payment, capture(order))

    assert (await run(capture_payment, capture(order)))[1] == [captured(order)]
    assert charged(provider, order) == (1000, 1000, 0, 0)


async def test_eight_deliveries_at_once_capture_once(
    deliver: Callable[..., Awaitable[Answer]], run: Run, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))

    answers = await asyncio.gather(*(deliver(capture_payment, capture(order), id="event-1") for _ in range(8)))

    assert {answer.status for answer in answers} == {204}
    assert charged(provider, order) == (1000, 1000, 0, 0)
    assert await db.value("select count(*) from payments.ledger where debit_account = 'captured'") == 1
    assert await db.value("select count(*) from platform.outbox where type like '%%captured.v1'") == 1


async def test_capture_against_void_has_one_winner(run: Run, db: Books, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order))

    await asyncio.gather(run(capture_payment, capture(order)), run(void_payment, void(order)))

    _, taken, given_back, _ = charged(provider, order)
    assert (taken, given_back) in {(1000, 0), (0, 1000), (0, 0)}
    states = [row.state for row in await db.all("select state from payments.attempts where operation <> 'authorize'")]
    assert states.count("succeeded") <= 1
