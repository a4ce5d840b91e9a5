"""Paying back: once per refund, never more than was captured."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.refund_payment import refund_payment
from shared.payments.events import PaymentUnknown, RefundFailed, RefundSucceeded
from shared.runtime.answers import Answer
from tests.conftest import Books, Run
from tests.functions.payments.commands import authorize, capture, refund, refund_id
from tests.functions.payments.conftest import Halt, charged
from tests.provider import ProviderServer


def refunded(order: UUID, number: int, amount_minor: int, key: str = "") -> RefundSucceeded:
    return RefundSucceeded(
        order_id=order,
        refund_id=refund_id(order, number),
        command_key=key or f"{order}:refund:{number}",
        amount_minor=amount_minor,
        currency="GBP",
    )


def failed(order: UUID, number: int, amount_minor: int, code: str) -> RefundFailed:
    return RefundFailed(
        order_id=order,
        refund_id=refund_id(order, number),
        command_key=f"{order}:refund:{number}",
        amount_minor=amount_minor,
        code=code,
    )


async def paid(run: Run, order: UUID, token: str = "tok_approve") -> None:
    await run(authorize_payment, authorize(order, token))
    await run(capture_payment, capture(order))


async def test_in_parts_and_never_more_than_is_left(run: Run, db: Books, provider: ProviderServer, order: UUID) -> None:
    await paid(run, order)

    assert (await run(refund_payment, refund(order, 1, 600)))[1] == [refunded(order, 1, 600)]
    assert (await run(refund_payment, refund(order, 2, 401)))[1] == [failed(order, 2, 401, "exceeds_captured")]
    assert (await run(refund_payment, refund(order, 3, 400)))[1] == [refunded(order, 3, 400)]
    assert charged(provider, order) == (1000, 1000, 0, 1000)
    assert (await db.one("select status from payments.payments")).status == "refunded"


async def test_of_what_was_never_captured(run: Run, order: UUID) -> None:
    await run(authorize_payment, authorize(order))

    assert (await run(refund_payment, refund(order, 1, 1)))[1] == [failed(order, 1, 1, "exceeds_captured")]


async def test_of_an_order_that_was_never_paid(run: Run, order: UUID) -> None:
    assert (await run(refund_payment, refund(order, 1, 1)))[1] == [failed(order, 1, 1, "exceeds_captured")]


async def test_a_command_sent_again_pays_once(run: Run, provider: ProviderServer, order: UUID) -> None:
    await paid(run, order)
    answers = [(await run(refund_payment, refund(order, 1, 100)))[1] for _ in range(3)]

    assert answers == [[refunded(order, 1, 100)]] * 3
    assert charged(provider, order) == (1000, 1000, 0, 100)


async def test_one_refund_under_two_keys_pays_once(run: Run, provider: ProviderServer, order: UUID) -> None:
    await paid(run, order)
    await run(refund_payment, refund(order, 1, 100))
    _, emitted = await run(refund_payment, refund(order, 1, 100, key=f"{order}:other"))

    assert emitted == [refunded(order, 1, 100, key=f"{order}:other")]
    assert charged(provider, order) == (1000, 1000, 0, 100)


async def test_a_refused_refund_can_be_asked_for_again(run: Run, provider: ProviderServer, order: UUID) -> None:
    await paid(run, order, "tok_seq:approve,approve,decline")
    _, first = await run(refund_payment, refund(order, 1, 100))
    _, second = await run(refund_payment, refund(order, 1, 100, key=f"{order}:other"))

    assert first == [failed(order, 1, 100, "card_declined")]
    assert second == [refunded(order, 1, 100, key=f"{order}:other")]
    assert charged(provider, order) == (1000, 1000, 0, 100)


async def test_a_refund_without_an_answer_is_unknown(run: Run, provider: ProviderServer, order: UUID) -> None:
    await paid(run, order, "tok_seq:approve,approve,error_after_charge")
    _, emitted = await run(refund_payment, refund(order, 1, 100))

    key = f"{order}:refund:1"
    assert emitted == [PaymentUnknown(order_id=order, command_key=key, operation="refund")]
    assert charged(provider, order) == (1000, 1000, 0, 100)


async def test_a_process_that_dies_after_the_refund_pays_once(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID
) -> None:
    await paid(run, order)
    await halt(refund_payment, refund(order, 1, 100))

    assert (await run(refund_payment, refund(order, 1, 100)))[1] == [refunded(order, 1, 100)]
    assert charged(provider, order) == (1000, 1000, 0, 100)


async def test_ten_refunds_at_once_never_exceed_what_was_captured(
    deliver: Callable[..., Awaitable[Answer]], run: Run, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await paid(run, order)

    answers = await asyncio.gather(*(deliver(refund_payment, refund(order, number, 300)) for number in range(10)))

    assert {answer.status for answer in answers} == {204}
    _, _, _, given_back = charged(provider, order)
    assert given_back <= 1000
    assert await db.value("select count(*) from payments.attempts where state in ('sending', 'unknown')") == 0


@pytest.mark.parametrize("sql", ["update payments.ledger set amount_minor = 1", "delete from payments.ledger"])
async def test_the_ledger_is_append_only_even_for_its_owner(run: Run, db: Books, order: UUID, sql: str) -> None:
    await paid(run, order)

    with pytest.raises(Exception, match="append-only"):
        await db.run(sql)
