"""The payment of one order, as an operator sees it."""

import json
from uuid import UUID

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.get_payment import get_payment
from functions.payments.refund_payment import refund_payment
from tests.conftest import Ask, Run
from tests.functions.payments.commands import authorize, capture, refund

FIGURES = (
    *("order_id", "status", "currency", "amount_minor", "authorized_minor", "captured_minor", "voided_minor"),
    *("refunded_minor", "disputed_minor", "lost_minor"),
)


async def test_sums_and_attempts(run: Run, ask: Ask, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    await run(capture_payment, capture(order))
    await run(refund_payment, refund(order, 1, 250))
    await run(refund_payment, refund(order, 2, 751))

    answer = await ask(get_payment, f"/v1/payments/{order}", roles=("operator",))

    payment = json.loads(answer.body)
    assert answer.status == 200
    assert {name: payment[name] for name in FIGURES} == {
        "order_id": str(order),
        "status": "part_refunded",
        "currency": "GBP",
        "amount_minor": 1000,
        "authorized_minor": 1000,
        "captured_minor": 1000,
        "voided_minor": 0,
        "refunded_minor": 250,
        "disputed_minor": 0,
        "lost_minor": 0,
    }
    assert sorted((attempt["operation"], attempt["state"], attempt["code"]) for attempt in payment["attempts"]) == [
        ("authorize", "succeeded", None),
        ("capture", "succeeded", None),
        ("refund", "failed", "exceeds_captured"),
        ("refund", "succeeded", None),
    ]


async def test_unknown_while_the_provider_has_not_said(run: Run, ask: Ask, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_error_after_charge"))

    answer = await ask(get_payment, f"/v1/payments/{order}", roles=("admin",))

    assert json.loads(answer.body)["status"] == "unknown"
    assert b"tok_" not in answer.body


async def test_no_payment(ask: Ask, order: UUID) -> None:
    answer = await ask(get_payment, f"/v1/payments/{order}", roles=("operator",))

    assert (answer.status, json.loads(answer.body)["type"]) == (404, "urn:kn-shop:problem:payment-not-found")


@pytest.mark.parametrize(("roles", "status"), [((), 401), (("customer",), 403), (("service",), 403)])
async def test_only_for_admins_and_operators(ask: Ask, order: UUID, roles: tuple[str, ...], status: int) -> None:
    assert (await ask(get_payment, f"/v1/payments/{order}", roles=roles)).status == status
