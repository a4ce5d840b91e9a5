"""A card whose bank asks the customer first: confirmed, refused, forgotten, cancelled, replaced by another card."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.resolve_unknown_payments import resolve_unknown_payments
from functions.payments.void_payment import void_payment
from shared.payments.events import PaymentActionRequired, PaymentAuthorized, PaymentDeclined, PaymentVoided
from tests.conftest import NOW, Books, Run
from tests.functions.payments.commands import authorize, capture, void
from tests.functions.payments.conftest import Halt, charged
from tests.functions.payments.webhooks import Tell, settled
from tests.provider import ProviderServer

POLL = NOW + timedelta(seconds=11)


async def asked(run: Run, order: UUID, token: str = "tok_3ds") -> PaymentActionRequired:
    _, (event,) = await run(authorize_payment, authorize(order, token))
    assert isinstance(event, PaymentActionRequired)
    return event


def names(emitted: list[Any]) -> list[str]:
    return [type(event).__name__ for event in emitted]


@pytest.mark.parametrize("token", ["tok_3ds", "tok_seq:action"])
async def test_nothing_is_charged_before_it_is_confirmed(
    run: Run, db: Books, provider: ProviderServer, order: UUID, token: str
) -> None:
    event = await asked(run, order, token)

    assert event.command_key == f"{order}:authorize"
    assert event.action_url.startswith(f"{provider.url}/v1/actions/auth_")
    assert charged(provider, order) == (0, 0, 0, 0)
    assert (await db.one("select status from payments.payments")).status == "action_required"
    assert (await db.one("select state from payments.attempts")).state == "action"
    page = provider.page(event.action_url)
    assert "10.00 GBP" in page
    assert "<form" in page


async def test_it_is_found_by_asking_when_no_webhook_comes(run: Run, provider: ProviderServer, order: UUID) -> None:
    event = await asked(run, order)
    assert (await run(resolve_unknown_payments, now=POLL))[1] == [], "nothing new is said while nothing has changed"
    assert provider.decide(event.action_url, "complete").json["status"] == "authorized"

    _, emitted = await run(resolve_unknown_payments, now=POLL + timedelta(minutes=1))
    assert emitted == [
        PaymentAuthorized(order_id=order, command_key=event.command_key, amount_minor=1000, currency="GBP")
    ]
    await run(capture_payment, capture(order))
    assert charged(provider, order) == (1000, 1000, 0, 0)


async def test_a_webhook_tells_it_once(run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID) -> None:
    event = await asked(run, order)
    said = provider.decide(event.action_url, "complete").json
    told = settled(order, "authorize", "authorized", said["id"])
    for _ in range(3):
        assert (await tell("operation.settled", told)).status == 204
    assert (await tell("operation.settled", told, id="evt_2")).status == 204

    types = [row.type for row in await db.all("select type from platform.outbox order by position")]
    assert types[1:] == ["shop.payments.payment.authorized.v1"]
    assert (await run(resolve_unknown_payments, now=POLL))[1] == []
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_refused_by_the_customer(run: Run, db: Books, provider: ProviderServer, order: UUID) -> None:
    event = await asked(run, order)
    provider.decide(event.action_url, "fail")

    _, emitted = await run(resolve_unknown_payments, now=POLL)
    assert emitted == [
        PaymentDeclined(
            order_id=order,
            command_key=event.command_key,
            amount_minor=1000,
            currency="GBP",
            code="authentication_failed",
        )
    ]
    assert (await db.one("select status from payments.payments")).status == "declined"
    assert provider.decide(event.action_url, "complete").status == 409


async def test_a_void_ends_it_and_another_card_may_follow(
    run: Run, db: Books, provider: ProviderServer, order: UUID
) -> None:
    event = await asked(run, order)
    _, emitted = await run(void_payment, void(order))

    assert names(emitted) == ["PaymentDeclined", "PaymentVoided"]
    assert emitted[1] == PaymentVoided(order_id=order, command_key=f"{order}:void", amount_minor=0)
    assert provider.decide(event.action_url, "complete").status == 409
    assert charged(provider, order) == (0, 0, 0, 0)

    _, again = await run(authorize_payment, authorize(order, key=f"{order}:authorize:2"))
    assert names(again) == ["PaymentAuthorized"]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_a_void_that_comes_after_the_customer_gives_back_what_they_confirmed(
    run: Run, provider: ProviderServer, order: UUID
) -> None:
    event = await asked(run, order)
    provider.decide(event.action_url, "complete")
    _, emitted = await run(void_payment, void(order))

    assert names(emitted) == ["PaymentAuthorized", "PaymentVoided"]
    assert emitted[1] == PaymentVoided(order_id=order, command_key=f"{order}:void", amount_minor=1000)
    assert charged(provider, order) == (1000, 0, 1000, 0)


async def test_an_authorisation_that_comes_after_the_void_is_voided_by_itself(
    run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    """The provider said that the action was cancelled, and then that it was confirmed after all."""
    key = f"{order}:authorize"
    event = await asked(run, order)
    await db.run("update payments.attempts set provider_id = null")
    provider.decide(event.action_url, "complete")
    await db.run(
        """update payments.attempts set state = 'failed', code = 'action_cancelled', finished_at = now(),
        next_query_at = null"""
    )
    await db.run("update payments.payments set pending = null, last_said = 'voided'")
    said = provider.get(f"/v1/operations/{key}").json
    assert (await tell("operation.settled", settled(order, "authorize", "authorized", said["id"]))).status == 204
    assert (await db.one("select status from payments.payments")).status == "authorized"

    _, emitted = await run(resolve_unknown_payments, now=NOW + timedelta(days=400))

    assert emitted == [PaymentVoided(order_id=order, command_key=f"{key}/late", amount_minor=1000)]
    assert charged(provider, order) == (1000, 0, 1000, 0)
    assert (await db.one("select status from payments.payments")).status == "voided"


async def test_another_card_takes_its_place(run: Run, provider: ProviderServer, order: UUID) -> None:
    first = await asked(run, order)
    _, emitted = await run(authorize_payment, authorize(order, key=f"{order}:authorize:2"))
    assert names(emitted) == ["PaymentDeclined", "PaymentVoided"], "the first is over before the second begins"

    _, emitted = await run(resolve_unknown_payments, now=NOW + timedelta(seconds=2))

    assert [(type(event).__name__, event.model_dump()["command_key"]) for event in emitted] == [
        ("PaymentAuthorized", f"{order}:authorize:2")
    ]
    assert provider.decide(first.action_url, "complete").status == 409
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_another_card_that_came_while_the_first_was_on_its_way(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID
) -> None:
    go_on = await halt(authorize_payment, authorize(order, "tok_3ds"))
    assert (await run(authorize_payment, authorize(order, key=f"{order}:authorize:2")))[1] == []
    assert names(await go_on()) == ["PaymentActionRequired"]

    said = []
    for second in range(2, 8, 2):
        said += names((await run(resolve_unknown_payments, now=NOW + timedelta(seconds=second)))[1])

    assert said == ["PaymentDeclined", "PaymentVoided", "PaymentAuthorized"]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_a_capture_waits_until_it_is_confirmed(run: Run, provider: ProviderServer, order: UUID) -> None:
    event = await asked(run, order)
    assert (await run(capture_payment, capture(order)))[1] == []
    assert (await run(resolve_unknown_payments, now=NOW + timedelta(seconds=2)))[1] == []
    provider.decide(event.action_url, "complete")

    said = []
    for second in range(11, 17):
        said += names((await run(resolve_unknown_payments, now=NOW + timedelta(seconds=second)))[1])

    assert said == ["PaymentAuthorized", "PaymentCaptured"]
    assert charged(provider, order) == (1000, 1000, 0, 0)


@pytest.mark.parametrize("called", [True, False])
async def test_a_process_that_dies_while_it_ends_an_action(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID, called: bool
) -> None:
    await asked(run, order)
    await halt(void_payment, void(order), called=called)

    said = []
    for second in (16, 40, 80):
        said += names((await run(resolve_unknown_payments, now=NOW + timedelta(seconds=second)))[1])

    assert sorted(said) == ["PaymentDeclined", "PaymentVoided"]
    assert charged(provider, order) == (0, 0, 0, 0)


async def test_asked_again_the_same_is_said(run: Run, order: UUID) -> None:
    first = await asked(run, order)

    assert await asked(run, order) == first
