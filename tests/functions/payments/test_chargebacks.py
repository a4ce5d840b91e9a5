"""Disputes, as the provider tells of them: once, in any order, won and lost, and what is left to refund."""

from typing import Any
from uuid import UUID

import pytest

from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.get_payment import get_payment
from functions.payments.refund_payment import refund_payment
from tests.conftest import Ask, Books, Run
from tests.functions.payments.commands import authorize, capture, refund
from tests.functions.payments.webhooks import Tell
from tests.provider import ProviderServer

SUMS = "select status, captured_minor, refunded_minor, disputed_minor, lost_minor from payments.payments"


async def disputed(run: Run, provider: ProviderServer, order: UUID, amount_minor: int = 400) -> dict[str, Any]:
    await run(authorize_payment, authorize(order))
    await run(capture_payment, capture(order))
    (one,) = provider.get(f"/v1/authorizations?reference={order}").json["items"]
    said: dict[str, Any] = provider.dispute(one["id"], amount_minor).json
    return said


async def told(db: Books) -> list[str]:
    rows = await db.all("select type from platform.outbox where type like '%%chargeback%%' order by position")
    return [row.type.split(".")[3] for row in rows]


async def test_the_money_is_away_while_it_is_open(
    run: Run, tell: Tell, ask: Ask, db: Books, provider: ProviderServer, order: UUID
) -> None:
    said = await disputed(run, provider, order)
    for n in range(3):
        assert (await tell("charge.disputed", said, id=f"evt_{n}")).status == 204

    assert await db.one(SUMS) == ("disputed", 1000, 0, 400, 0)
    assert await told(db) == ["opened"]
    _, (failed,) = await run(refund_payment, refund(order, 1, 601))
    assert failed.model_dump()["code"] == "disputed"
    _, (paid,) = await run(refund_payment, refund(order, 2, 600))
    assert type(paid).__name__ == "RefundSucceeded"
    view = (await ask(get_payment, f"/v1/payments/{order}", roles=("operator",))).body
    assert b'"chargebacks":[{"id":"' + said["dispute_id"].encode() in view


@pytest.mark.parametrize(
    ("outcome", "sums"), [("won", ("captured", 1000, 0, 0, 0)), ("lost", ("part_refunded", 1000, 0, 0, 400))]
)
async def test_it_is_decided(
    run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID, outcome: str, sums: tuple[Any, ...]
) -> None:
    said = await disputed(run, provider, order)
    await tell("charge.disputed", said)
    closed = provider.close_dispute(said["dispute_id"], outcome).json
    for n in range(2):
        await tell("charge.dispute_closed", closed, id=f"closed_{n}")

    assert await db.one(SUMS) == sums
    assert await told(db) == ["opened", "closed"]


async def test_the_end_comes_before_the_beginning(
    run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID
) -> None:
    said = await disputed(run, provider, order, 1000)
    closed = provider.close_dispute(said["dispute_id"], "lost").json
    await tell("charge.dispute_closed", closed, id="evt_2")
    await tell("charge.disputed", said, id="evt_1")

    assert await db.one(SUMS) == ("charged_back", 1000, 0, 0, 1000)
    assert await told(db) == ["opened", "closed"]
    accounts = await db.all("select debit_account, credit_account from payments.ledger order by id offset 2")
    assert accounts == [("disputed", "captured"), ("lost", "disputed")]


@pytest.mark.parametrize(
    "wrong",
    [{"amount_minor": 0}, {"amount_minor": "5"}, {"outcome": "maybe"}, {"dispute_id": None}, {"amount_minor": 2**60}],
)
async def test_what_says_no_dispute_is_ignored(
    run: Run, tell: Tell, db: Books, provider: ProviderServer, order: UUID, wrong: dict[str, Any]
) -> None:
    said = await disputed(run, provider, order)

    assert (await tell("charge.disputed", {**said, **wrong})).status == 204
    assert (await db.one(SUMS)).disputed_minor == 0


async def test_a_card_whose_owner_disputes(run: Run, provider: ProviderServer, order: UUID) -> None:
    await run(authorize_payment, authorize(order, "tok_dispute"))
    await run(capture_payment, capture(order))

    (one,) = provider.call("POST", "/v1/books/search", {"references": [str(order)]}).json["items"]
    assert [dispute["amount_minor"] for dispute in one["disputes"]] == [1000]
