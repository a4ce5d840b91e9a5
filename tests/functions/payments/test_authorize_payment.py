"""Every test card, duplicates, and processes that die between the parts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.void_payment import void_payment
from shared.payments.events import PaymentAuthorized, PaymentDeclined, PaymentUnknown
from shared.runtime import Event
from shared.runtime.answers import Answer
from shared.runtime.serve import Endpoint
from tests.conftest import Books, Run, delivered
from tests.functions.payments.commands import authorize, capture, void
from tests.functions.payments.conftest import Halt, charged
from tests.provider import ProviderServer


def authorized(order: UUID, amount_minor: int = 1000) -> PaymentAuthorized:
    return PaymentAuthorized(
        order_id=order, command_key=f"{order}:authorize", amount_minor=amount_minor, currency="GBP"
    )


def declined(order: UUID, code: str) -> PaymentDeclined:
    return PaymentDeclined(
        order_id=order, command_key=f"{order}:authorize", amount_minor=1000, currency="GBP", code=code
    )


@pytest.mark.parametrize("token", ["tok_approve", "tok_slow", "tok_capture_fails", "tok_seq:approve,decline"])
async def test_a_good_card_reserves_the_total(
    run: Run, db: Books, provider: ProviderServer, order: UUID, token: str
) -> None:
    _, emitted = await run(authorize_payment, authorize(order, token))

    assert emitted == [authorized(order)]
    assert charged(provider, order) == (1000, 0, 0, 0)
    assert (await db.one("select status from payments.payments")).status == "authorized"
    entry = await db.one("select debit_account, credit_account, amount_minor, currency from payments.ledger")
    assert entry == ("authorized", "customer", 1000, "GBP")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_decline", "card_declined"),
        ("tok_insufficient_funds", "insufficient_funds"),
        ("tok_never_heard_of", "unknown_token"),
        ("tok_seq:insufficient_funds", "insufficient_funds"),
    ],
)
async def test_a_refused_card_is_an_answer(
    run: Run, db: Books, provider: ProviderServer, order: UUID, token: str, code: str
) -> None:
    _, emitted = await run(authorize_payment, authorize(order, token))

    assert emitted == [declined(order, code)]
    assert charged(provider, order) == (0, 0, 0, 0)
    assert (await db.one("select status from payments.payments")).status == "declined"
    assert await db.all("select from payments.ledger") == []


@pytest.mark.parametrize("token", ["tok_timeout_after_charge", "tok_error_after_charge"])
async def test_a_charge_without_an_answer_is_unknown(
    run: Run, db: Books, provider: ProviderServer, order: UUID, token: str
) -> None:
    _, emitted = await run(authorize_payment, authorize(order, token))

    assert emitted == [PaymentUnknown(order_id=order, command_key=f"{order}:authorize", operation="authorize")]
    assert charged(provider, order) == (1000, 0, 0, 0)
    assert (await db.one("select state from payments.attempts")).state == "unknown"


async def test_a_declined_card_can_be_followed_by_a_better_one(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_decline", key=f"{order}:first"))
    _, emitted = await run(authorize_payment, authorize(order, "tok_approve"))

    assert emitted == [authorized(order)]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_nothing_to_pay_needs_no_provider(run: Run, db: Books, provider: ProviderServer, order: UUID) -> None:
    assert (await run(authorize_payment, authorize(order, amount_minor=0)))[1] == [authorized(order, 0)]
    _, emitted = await run(capture_payment, capture(order))

    assert [type(event).__name__ for event in emitted] == ["PaymentCaptured"]
    assert provider.get(f"/v1/operations/{order}:authorize").status == 404


async def test_what_is_authorised_already_is_not_authorised_twice(
    run: Run, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    for _ in range(2):
        _, emitted = await run(authorize_payment, authorize(order, key=f"{order}:again"))

        assert emitted == [
            PaymentAuthorized(order_id=order, command_key=f"{order}:again", amount_minor=1000, currency="GBP")
        ]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_what_is_authorised_for_less_is_not_said_to_be_there(
    run: Run, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    _, emitted = await run(authorize_payment, authorize(order, amount_minor=1001, key=f"{order}:again"))

    assert [event.model_dump()["code"] for event in emitted] == ["authorized_for_less"]
    assert charged(provider, order) == (1000, 0, 0, 0)
    assert (await db.one("select status from payments.payments")).status == "authorized"


async def test_a_cancelled_order_is_never_charged_late(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(void_payment, void(order))
    _, emitted = await run(authorize_payment, authorize(order))

    assert emitted == [declined(order, "voided")]
    assert charged(provider, order) == (0, 0, 0, 0)


async def test_a_command_sent_again_is_answered_the_same(run: Run, provider: ProviderServer, order: UUID) -> None:
    answers = [(await run(authorize_payment, authorize(order)))[1] for _ in range(3)]

    assert answers == [[authorized(order)]] * 3
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_an_event_delivered_twice_has_one_effect(
    deliver: Callable[..., Awaitable[Answer]], db: Books, provider: ProviderServer, order: UUID
) -> None:
    for _ in range(2):
        answer = await deliver(authorize_payment, authorize(order), id="event-1")
        assert answer.status == 204

    assert charged(provider, order) == (1000, 0, 0, 0)
    assert await db.value("select count(*) from platform.outbox") == 1


@pytest.mark.parametrize("token", ["tok_approve", "tok_error_after_charge"])
async def test_a_process_that_dies_after_the_charge_charges_once(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID, token: str
) -> None:
    await halt(authorize_payment, authorize(order, token))
    _, emitted = await run(authorize_payment, authorize(order, token))

    assert emitted == [authorized(order)]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_a_process_that_dies_before_the_charge_charges_once(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID
) -> None:
    await halt(authorize_payment, authorize(order), called=False)
    _, emitted = await run(authorize_payment, authorize(order))

    assert emitted == [authorized(order)]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_the_token_is_forgotten_when_it_is_settled(run: Run, db: Books, order: UUID) -> None:
    await run(authorize_payment, authorize(order))

    assert (await db.one("select payment_token from payments.attempts")).payment_token is None


async def at_once(endpoint_of: Callable[..., Endpoint[Any]], commands: list[tuple[Event, str]]) -> list[Answer]:
    """All to one process."""
    target = endpoint_of(authorize_payment)
    sent = [delivered(command, id=id) for command, id in commands]
    return await asyncio.gather(*(target.handle("POST", "/", b"", headers, body) for headers, body in sent))


async def test_commands_that_come_at_once_share_their_transactions(
    endpoint_of: Callable[..., Endpoint[Any]], db: Books, provider: ProviderServer
) -> None:
    """Each is answered for itself, and once; the answer names the command that led to it."""
    cards = {uuid4(): token for token in ("tok_slow", *("tok_approve",) * 12, "tok_decline", "tok_3ds")}
    twice = [*cards.items(), *cards.items()]

    answers = await at_once(endpoint_of, [(authorize(order, token), str(order)) for order, token in twice])

    assert {answer.status for answer in answers} == {204}
    said = await db.all("select type, key, causationid from platform.outbox order by position")
    assert len(said) == len(cards)
    assert all(row.key == row.causationid for row in said)
    assert await db.value("select count(distinct created_at) from payments.payments") < len(cards)
    for order, token in cards.items():
        granted = 0 if token in ("tok_decline", "tok_3ds") else 1000
        assert charged(provider, order) == (granted, 0, 0, 0)


async def test_several_commands_of_one_order_at_once(
    endpoint_of: Callable[..., Endpoint[Any]], db: Books, provider: ProviderServer, order: UUID
) -> None:
    commands = [authorize(order, key=f"{order}:{n}") for n in range(4)]

    answers = await at_once(endpoint_of, [(command, command.command_key) for command in commands])

    assert {answer.status for answer in answers} == {204}
    assert charged(provider, order) == (1000, 0, 0, 0)
    states = await db.all("select state, count(*) from payments.attempts group by state order by state")
    assert states[0] == ("succeeded", 1)
