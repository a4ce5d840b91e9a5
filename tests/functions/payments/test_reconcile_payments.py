"""Our books against the provider's: what differs and why, what is mended and by whom, and what is left to people."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.compare_payments import compare_payments
from functions.payments.measure_payments import measure_payments
from functions.payments.reconcile_payments import reconcile_payments
from functions.payments.resolve_unknown_payments import resolve_unknown_payments
from functions.payments.void_payment import void_payment
from shared.payments import metrics
from tests.conftest import NOW, Ask, Books, Run
from tests.functions.payments.commands import authorize, capture, void
from tests.functions.payments.conftest import charged
from tests.functions.payments.webhooks import Tell
from tests.provider import ProviderServer

Compare = Callable[..., Awaitable[Any]]


@pytest.fixture
def compare(ask: Ask) -> Compare:
    async def compare(**request: Any) -> Any:
        answer = await ask(
            reconcile_payments, "/v1/admin/payment-reconciliation", request, roles=("operator",), subject="olga"
        )
        assert answer.status == 200, answer
        return json.loads(answer.body)

    return compare


def found(answer: Any) -> list[tuple[str, int, int, str, bool]]:
    names = ("figure", "ours_minor", "theirs_minor", "cause", "mended")
    return [tuple(one[name] for name in names) for one in answer["differences"]]


def id_of(provider: ProviderServer, order: UUID) -> str:
    (one,) = provider.get(f"/v1/authorizations?reference={order}").json["items"]
    return str(one["id"])


async def test_books_that_agree(run: Run, compare: Compare, provider: ProviderServer, order: UUID) -> None:
    other = uuid4()
    await run(authorize_payment, authorize(order))
    await run(capture_payment, capture(order, 700))
    await run(void_payment, void(order))
    await run(authorize_payment, authorize(other, "tok_decline"))

    answer = await compare()
    assert (answer["compared"], answer["differences"], answer["after"]) == (2, [], None)


async def test_what_was_done_at_the_providers_console_is_booked_on_request(
    run: Run, compare: Compare, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    id = id_of(provider, order)
    provider.capture(id, 600)
    provider.refund(id, 100)

    expected = [("captured", 0, 600, "only_there"), ("refunded", 0, 100, "only_there")]
    assert found(await compare()) == [(*one, False) for one in expected]
    assert found(await compare(mend=True, reason="taken by telephone")) == [(*one, True) for one in expected]
    assert found(await compare()) == []

    row = await db.one("select status, captured_minor, refunded_minor from payments.payments")
    assert row == ("part_refunded", 600, 100)
    who = await db.all("select actor, reason, figure from payments.reconciliations order by id")
    assert who == [("olga", "taken by telephone", "captured"), ("olga", "taken by telephone", "refunded")]
    assert charged(provider, order) == (1000, 600, 0, 100)


async def test_what_is_only_here_is_taken_back_by_a_reversal(
    run: Run, compare: Compare, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    await db.run(
        """with a as (insert into payments.attempts (key, order_id, operation, amount_minor, state, created_at,
             finished_at, provider_id)
           select 'k', order_id, 'capture', 300, 'succeeded', now(), now(), provider_id from payments.payments
           returning order_id)
           update payments.payments set captured_minor = 300, last_said = 'captured'"""
    )
    await db.run(
        """insert into payments.ledger
             (at, order_id, attempt_key, debit_account, credit_account, amount_minor, currency)
           select now(), order_id, 'k', 'captured', 'authorized', 300, 'GBP' from payments.payments"""
    )

    assert found(await compare(mend=True)) == [("captured", 300, 0, "only_here", True)]
    assert found(await compare()) == []
    entry = await db.one("select debit_account, credit_account, reversal from payments.ledger order by id desc limit 1")
    assert entry == ("authorized", "captured", True)
    _, (event,) = await run(capture_payment, capture(order))
    assert event.model_dump()["amount_minor"] == 1000


async def test_an_authorisation_that_nobody_asked_for_is_booked_and_given_back(
    run: Run, compare: Compare, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order, "tok_decline"))
    provider.authorize("tok_approve", 900, reference=str(order))

    assert found(await compare(mend=True)) == [("authorized", 0, 900, "never_asked_for", True)]
    _, (event,) = await run(resolve_unknown_payments, now=NOW + timedelta(days=900))
    assert (type(event).__name__, event.model_dump()["amount_minor"]) == ("PaymentVoided", 900)
    assert charged(provider, order) == (900, 0, 900, 0)
    assert found(await compare()) == []


async def test_a_dispute_that_was_not_told(
    run: Run, compare: Compare, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    await run(capture_payment, capture(order))
    said = provider.dispute(id_of(provider, order), 400).json

    assert found(await compare(mend=True)) == [("disputed", 0, 400, "dispute_not_told", True)]
    await tell("charge.disputed", said)
    assert await db.one("select status, disputed_minor from payments.payments") == ("disputed", 400)
    assert found(await compare()) == []


async def test_what_the_provider_does_not_know_is_left_to_people(
    run: Run, compare: Compare, db: Books, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    await db.run("alter table payments.ledger disable trigger user")
    await db.run("update payments.payments set provider_id = 'auth_gone'")
    await db.run("update payments.ledger set authorization_id = 'auth_gone'")

    assert sorted(found(await compare(mend=True))) == [
        ("authorized", 0, 1000, "never_asked_for", False),
        ("authorized", 1000, 0, "not_at_provider", False),
    ]


async def test_a_payment_that_is_under_way_is_no_difference(
    run: Run, compare: Compare, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order, "tok_error_after_charge"))

    assert charged(provider, order) == (1000, 0, 0, 0)
    assert found(await compare()) == []


async def test_batches(run: Run, compare: Compare) -> None:
    for _ in range(3):
        await run(authorize_payment, authorize(uuid4()))

    first = await compare(limit=2)
    second = await compare(limit=2, after=first["after"])
    assert (first["compared"], second["compared"], second["after"]) == (2, 1, None)


async def test_money_under_references_that_are_no_orders(
    compare: Compare, provider: ProviderServer, run: Run, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    stranger = uuid4()
    provider.authorize("tok_approve", 77, reference=str(stranger))
    provider.authorize("tok_approve", 78, reference="no uuid")

    seen: list[Any] = []
    after: str | None = ""
    while after is not None:
        answer = await compare(books="theirs", after=after, limit=50)
        seen += answer["differences"]
        after = answer["after"]

    told = {one["order_id"]: (one["cause"], one["theirs_minor"]) for one in seen}
    assert told[str(stranger)] == ("no_order", 77)
    assert told[str(UUID(int=0))] == ("no_order", 78)
    assert str(order) not in told


async def test_a_provider_without_an_answer(ask: Ask, provider: ProviderServer, run: Run, order: UUID) -> None:
    await run(authorize_payment, authorize(order))
    provider.kill()
    try:
        answer = await ask(reconcile_payments, "/v1/admin/payment-reconciliation", {}, roles=("operator",))
        await run(compare_payments)
    finally:
        provider.start()

    assert (answer.status, json.loads(answer.body)["type"]) == (503, "urn:kn-shop:problem:no-provider-books")


@pytest.mark.parametrize(
    "request_", [{"after": "x"}, {"limit": 0}, {"limit": 1001}, {"books": "all"}, {"reason": " "}, {"mend": "perhaps"}]
)
async def test_bad_requests(ask: Ask, request_: dict[str, Any]) -> None:
    answer = await ask(reconcile_payments, "/v1/admin/payment-reconciliation", request_, roles=("operator",))

    assert answer.status == 422


async def test_the_timer_keeps_what_differs_until_it_does_not(
    run: Run, compare: Compare, db: Books, provider: ProviderServer, order: UUID
) -> None:
    await run(authorize_payment, authorize(order))
    provider.capture(id_of(provider, order), 5)
    kept = (
        "select figure, theirs_minor, cause, gone_at is null as open from payments.differences where order_id = %(id)s"
    )
    now = NOW
    for _ in range(8):
        await run(compare_payments, now=now)
        now += timedelta(seconds=15)

    assert await db.all(kept, id=order) == [("captured", 5, "only_there", True)]
    ended = await db.all("select name from payments.comparisons where ended_at is not null order by name")
    assert [row.name for row in ended] == ["ours", "theirs"]
    await run(measure_payments)
    assert metrics.DIFFERENCES.labels("only_there")._value.get() >= 1

    await compare(mend=True)
    assert await db.all(kept, id=order) == [("captured", 5, "only_there", False)]
    await run(compare_payments, now=now + timedelta(hours=1))
    assert await db.all(kept, id=order) == [("captured", 5, "only_there", False)]
