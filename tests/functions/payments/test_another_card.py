"""A customer who acts on one card and pays with another: the saga goes on only if there is money."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from functions.orders.advance_order import advance_order
from functions.orders.cancel_order import CancelOrder, cancel_order
from functions.orders.pay_order import PayOrder, pay_order
from functions.orders.record_order import record_order
from functions.payments.authorize_payment import authorize_payment
from functions.payments.capture_payment import capture_payment
from functions.payments.resolve_unknown_payments import resolve_unknown_payments
from functions.payments.void_payment import void_payment
from shared.inventory.events import HoldCommitted, HoldExpired, StockHeld
from shared.orders.saga import CONSUMED, State
from shared.payments.events import AuthorizePayment, CapturePayment, VoidPayment
from shared.runtime import Event
from tests.conftest import ADMIN, NOW, Books, Run
from tests.functions.orders.sagas import TOTAL, recorded, standing, told
from tests.functions.payments.conftest import charged
from tests.provider import ProviderServer

PAID_BY: dict[type[Event], Any] = {
    AuthorizePayment: authorize_payment,
    CapturePayment: capture_payment,
    VoidPayment: void_payment,
}


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[ProviderServer]:
    """With books of its own: the orders of these tests have the same ids."""
    server = ProviderServer(tmp_path / "books.sqlite")
    yield server
    server.stop()


async def carry(run: Run, events: Sequence[Event]) -> None:
    """Brings what was said between saga and payments to whom it concerns, until nobody says any more."""
    waiting = list(events)
    while waiting:
        event = waiting.pop(0)
        if type(event) in PAID_BY:
            waiting += (await run(PAID_BY[type(event)], event))[1]
        elif type(event) in CONSUMED:
            waiting += (await run(advance_order, event))[1]


async def confirmed_at_the_bank(run: Run, db: Books, provider: ProviderServer, capture: str) -> UUID:
    """An order whose customer has done what the card asked for, of which nobody has heard yet."""
    view, _ = await run(record_order, recorded(payment_token="tok_3ds"), caller=ADMIN)
    change = "update orders.orders set on_decline = 'wait', capture = %(capture)s where id = %(id)s"
    await db.run(change, capture=capture, id=view.id)
    await carry(run, (await run(advance_order, told(StockHeld, view.id)))[1])
    after = await standing(db, view.id)
    assert after.state == State.AWAITING_CUSTOMER
    provider.decide(after.action_url, "complete")
    return UUID(str(view.id))


async def resolved(run: Run) -> None:
    for second in range(2, 30, 3):
        await carry(run, (await run(resolve_unknown_payments, now=NOW + timedelta(seconds=second)))[1])


@pytest.mark.parametrize("capture", ["now", "at_shipment"])
async def test_a_card_that_was_given_up_does_not_pay(
    run: Run, db: Books, provider: ProviderServer, capture: str
) -> None:
    order = await confirmed_at_the_bank(run, db, provider, capture)
    await carry(run, (await run(pay_order, PayOrder(order_id=order, payment_token="tok_decline")))[1])
    await resolved(run)

    assert charged(provider, order) == (TOTAL, 0, TOTAL, 0), "the first card has its money back"
    after = await standing(db, order)
    assert (after.state, after.payment) == (State.AWAITING_CUSTOMER, "declined")


@pytest.mark.parametrize("capture", ["now", "at_shipment"])
async def test_of_two_cards_one_pays(run: Run, db: Books, provider: ProviderServer, capture: str) -> None:
    order = await confirmed_at_the_bank(run, db, provider, capture)
    await carry(run, (await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve")))[1])
    await resolved(run)
    await carry(run, (await run(advance_order, told(HoldCommitted, order)))[1])

    assert (await standing(db, order)).state == State.COMPLETED
    captured = TOTAL if capture == "now" else 0
    assert charged(provider, order) == (2 * TOTAL, captured, TOTAL, 0), "the other card has its money back"


async def test_a_card_of_which_nobody_had_heard_pays_when_another_is_tried(
    run: Run, db: Books, provider: ProviderServer
) -> None:
    """Payments knows that the first is authorised before the saga does, and does not try the second."""
    order = await confirmed_at_the_bank(run, db, provider, "now")
    _, late = await run(resolve_unknown_payments, now=NOW + timedelta(seconds=11))
    await carry(run, (await run(pay_order, PayOrder(order_id=order, payment_token="tok_decline")))[1])
    await carry(run, late)

    assert (await standing(db, order)).state == State.COMMITTING
    assert charged(provider, order) == (TOTAL, 0, 0, 0)


async def test_money_on_a_card_that_was_given_up_goes_back_when_the_order_is_cancelled(
    run: Run, db: Books, provider: ProviderServer
) -> None:
    order = await confirmed_at_the_bank(run, db, provider, "now")
    _, late = await run(resolve_unknown_payments, now=NOW + timedelta(seconds=11))
    _, asked = await run(pay_order, PayOrder(order_id=order, payment_token="tok_decline"))
    await run(cancel_order, CancelOrder(order_id=order, reason="changed my mind"))
    await carry(run, [*late, *asked])

    assert (await standing(db, order)).state == State.RELEASING
    assert charged(provider, order) == (TOTAL, 0, TOTAL, 0)


async def test_both_cards_have_their_money_back_when_the_order_expires(
    run: Run, db: Books, provider: ProviderServer
) -> None:
    """The second is charged after the order was given up, and after the first was voided."""
    order = await confirmed_at_the_bank(run, db, provider, "now")
    _, asked = await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve"))
    await run(advance_order, told(HoldExpired, order))
    await carry(run, asked)
    await resolved(run)

    assert (await standing(db, order)).state == State.RELEASING
    assert charged(provider, order) == (2 * TOTAL, 0, 2 * TOTAL, 0)
