"""Giving back what was authorised."""

from uuid import UUID

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.void_payment import void_payment
from shared.payments.events import PaymentUnknown, PaymentVoided, VoidFailed
from tests.conftest import Books, Run
from tests.functions.payments.commands import authorize, capture, void
from tests.functions.payments.conftest import Halt, charged
from tests.provider import ProviderServer


def voided(order: UUID, amount_minor: int = 1000, key: str = "") -> PaymentVoided:
    return PaymentVoided(order_id=order, command_key=key or f"{order}:void", amount_minor=amount_minor)


async def test_all_that_is_authorised(run: Run, db: Books, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    _, emitted = await run(void_payment, void(order))

    assert emitted == [voided(order)]
    assert charged(provider, order) == (1000, 0, 1000, 0)
    assert (await db.one("select status from payments.payments")).status == "voided"


async def test_in_part_leaves_the_rest_to_be_captured(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    await run(void_payment, void(order, 400))
    await run(capture_payment, capture(order))

    assert charged(provider, order) == (1000, 600, 400, 0)


async def test_what_was_never_authorised_is_voided_trivially(run: Run, db: Books, order: UUID) -> None:
    assert (await run(void_payment, void(order)))[1] == [voided(order, 0)]
    assert (await db.one("select status from payments.payments")).status == "voided"
    assert await db.all("select from payments.ledger") == []


async def test_what_was_declined_is_voided_trivially(run: Run, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_decline"))

    assert (await run(void_payment, void(order)))[1] == [voided(order, 0)]


async def test_what_is_voided_stays_voided(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    answers = [(await run(void_payment, void(order)))[1] for _ in range(2)]

    assert answers == [[voided(order)]] * 2
    assert (await run(void_payment, void(order, key=f"{order}:2")))[1] == [voided(order, 0, key=f"{order}:2")]
    assert charged(provider, order) == (1000, 0, 1000, 0)


async def test_what_is_captured_can_only_be_refunded(run: Run, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    await run(capture_payment, capture(order))
    _, emitted = await run(void_payment, void(order))

    assert emitted == [VoidFailed(order_id=order, command_key=f"{order}:void", amount_minor=0, code="already_captured")]


async def test_a_provider_may_refuse_it(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_seq:approve,decline"))
    _, emitted = await run(void_payment, void(order))

    assert emitted == [VoidFailed(order_id=order, command_key=f"{order}:void", amount_minor=1000, code="card_declined")]
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_a_void_without_an_answer_is_unknown(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_seq:approve,error_after_charge"))
    _, emitted = await run(void_payment, void(order))

    assert emitted == [PaymentUnknown(order_id=order, command_key=f"{order}:void", operation="void")]
    assert charged(provider, order) == (1000, 0, 1000, 0)


async def test_a_process_that_dies_after_the_void_voids_once(
    run: Run, halt: Halt, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    await halt(void_payment, void(order))

    assert (await run(void_payment, void(order)))[1] == [voided(order)]
    assert charged(provider, order) == (1000, 0, 1000, 0)
