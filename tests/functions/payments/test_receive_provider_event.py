"""Webhooks of the provider: forged, altered, old, twice, early, late, contradicting, and not understood."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.forget_provider_events import forget_provider_events
from functions.payments.resolve_unknown_payments import resolve_unknown_payments
from shared.payments.events import PaymentAuthorized
from tests.conftest import NOW, Books, Run
from tests.functions.payments.commands import authorize, capture
from tests.functions.payments.conftest import Halt, charged
from tests.functions.payments.webhooks import OTHER, SECRET, Tell, settled
from tests.provider import ProviderServer

SETTLED = "operation.settled"


async def said(db: Books) -> list[str]:
    rows = await db.all("select type from platform.outbox order by position")
    return [row.type.removeprefix("shop.payments.").removesuffix(".v1") for row in rows]


async def state(db: Books) -> str:
    return str((await db.one("select state from payments.provider_events")).state)


@pytest.mark.parametrize(
    "attack",
    [
        {"secret": OTHER},
        {"altered": b'{"type":"charge.disputed","data":{}}'},
        {"age_s": 301},
        {"age_s": -301},
        {"webhook_signature": ""},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1a,AAAA"},
        {"webhook_signature": "v1,\xe9"},
        {"webhook_id": ""},
        {"webhook_id": "evt_2"},
        {"webhook_id": "x" * 256},
        {"webhook_timestamp": "now"},
        {"webhook_timestamp": "-1"},
        {"webhook_timestamp": "9" * 30},
    ],
)
async def test_what_is_not_the_providers_is_refused(tell: Tell, db: Books, order: UUID, attack: dict[str, Any]) -> None:
    answer = await tell(SETTLED, settled(order, "authorize", "authorized", "auth_1"), **attack)

    assert (answer.status, json.loads(answer.body)["type"]) == (401, "urn:kn-shop:problem:signature-refused")
    assert await db.all("select from payments.provider_events") == []


@pytest.mark.parametrize("secret", ["", OTHER])
async def test_no_secret_no_webhook(endpoint_of: Any, runtime: Any, tell: Tell, order: UUID, secret: str) -> None:
    object.__setattr__(runtime.settings, "provider_webhook_secret", secret)

    assert (await tell(SETTLED, {})).status == 401


async def test_the_old_secret_is_taken_beside_the_new(runtime: Any, tell: Tell) -> None:
    object.__setattr__(runtime.settings, "provider_webhook_secret", f"{OTHER} {SECRET}")

    assert (await tell("payout.paid", {})).status == 204


@pytest.mark.parametrize("type", ["payout.paid", "x"])
@pytest.mark.parametrize("data", [{}, {"reference": 7, "key": ["x"]}, {"reference": "no uuid", "key": "k", "n": 2**70}])
async def test_what_is_not_understood_is_taken_and_ignored(
    tell: Tell, db: Books, type: str, data: dict[str, Any]
) -> None:
    assert (await tell(type, data)).status == 204
    assert (await tell(SETTLED, data, id="evt_2")).status == 204
    assert (await tell("charge.disputed", data, id="evt_3")).status == 204
    assert {row.state for row in await db.all("select state from payments.provider_events")} == {"ignored"}


@pytest.mark.parametrize("body", [b"{}", b'{"type":7}', b"[]", b'{"type":"' + b"x" * 300 + b'"}'])
async def test_a_body_that_is_none_is_a_fault(endpoint_of: Any, body: bytes) -> None:
    import time
    from datetime import UTC, datetime

    from functions.payments.receive_provider_event import receive_provider_event
    from shared.runtime.webhooks import signed

    headers = signed("evt_1", datetime.fromtimestamp(time.time(), UTC), body, [SECRET])
    answer = await endpoint_of(receive_provider_event).handle("POST", "/v1/provider-webhooks", b"", headers, body)

    assert answer.status == 422


async def test_before_our_own_call_is_settled(
    run: Run, halt: Halt, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    go_on = await halt(authorize_payment, authorize(order))
    id = provider.get(f"/v1/operations/{order}:authorize").json["id"]
    assert (await tell(SETTLED, settled(order, "authorize", "authorized", id))).status == 204

    assert await said(db) == ["payment.authorized"]
    assert await go_on() == [], "the call finds it settled"
    assert await db.value("select count(*) from payments.ledger") == 1
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_an_id_that_was_heard_before_changes_nothing_whatever_is_said_under_it(
    halt: Halt, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    assert (await tell("payout.paid", {})).status == 204
    go_on = await halt(authorize_payment, authorize(order))
    id = provider.get(f"/v1/operations/{order}:authorize").json["id"]
    assert (await tell(SETTLED, settled(order, "authorize", "authorized", id))).status == 204

    assert await said(db) == []
    assert [type(event) for event in await go_on()] == [PaymentAuthorized]


async def test_before_the_attempt_is_known(
    run: Run, halt: Halt, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    answer = provider.authorize("tok_approve", 1000, f"{order}:authorize", str(order))
    assert (await tell(SETTLED, settled(order, "authorize", "authorized", answer.json["id"]))).status == 204
    assert (await run(resolve_unknown_payments))[1] == []
    assert (await state(db), await said(db)) == ("early", [])

    await halt(authorize_payment, authorize(order), called=False)
    _, emitted = await run(resolve_unknown_payments, now=NOW + timedelta(seconds=2))

    assert emitted == [
        PaymentAuthorized(order_id=order, command_key=f"{order}:authorize", amount_minor=1000, currency="GBP")
    ]
    assert await state(db) == "applied"
    assert charged(provider, order) == (1000, 0, 0, 0)


async def test_an_unknown_payment_is_known_by_it(
    run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order, "tok_seq:approve,error_after_charge"))
    await run(capture_payment, capture(order))
    id = provider.get(f"/v1/operations/{order}:capture").json["id"]
    assert (await db.one("select status from payments.payments")).status == "unknown"

    await tell(SETTLED, settled(order, "capture", "captured", id))

    assert (await said(db))[2:] == ["payment.captured"]
    assert (await db.one("select status from payments.payments")).status == "captured"


async def test_the_same_at_once_is_taken_once(
    run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order, "tok_error_after_charge"))
    id = provider.get(f"/v1/operations/{order}:authorize").json["id"]
    told = settled(order, "authorize", "authorized", id)

    answers = await asyncio.gather(*(tell(SETTLED, told, id=f"evt_{n % 3}") for n in range(12)))

    assert {answer.status for answer in answers} == {204}
    assert await said(db) == ["payment.unknown", "payment.authorized"]
    assert await db.value("select count(*) from payments.provider_events") == 3
    assert await db.value("select count(*) from payments.ledger") == 1


async def test_what_contradicts_our_books_changes_nothing(
    run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    await tell(SETTLED, settled(order, "authorize", "declined", "auth_x", code="card_declined"))

    assert await state(db) == "contradicted"
    assert await said(db) == ["payment.authorized"]
    assert (await db.one("select status from payments.payments")).status == "authorized"


async def test_an_order_that_is_not_ours(tell: Tell, db: Books) -> None:
    dispute = {"dispute_id": "dp_1", "id": "auth_1", "reference": str(uuid4()), "amount_minor": 5, "reason": "x"}
    assert (await tell("charge.disputed", dispute)).status == 204

    assert await state(db) == "contradicted"


async def test_what_is_a_month_old_is_forgotten(run: Run, tell: Tell, db: Books) -> None:
    await tell("payout.paid", {})
    await db.run("update payments.provider_events set received_at = %(at)s", at=NOW - timedelta(days=29))
    await run(forget_provider_events)
    assert await db.value("select count(*) from payments.provider_events") == 1
    await db.run("update payments.provider_events set received_at = %(at)s", at=NOW - timedelta(days=31))
    await run(forget_provider_events)

    assert await db.value("select count(*) from payments.provider_events") == 0
