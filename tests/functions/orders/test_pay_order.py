"""A customer pays with another card, as long as the order waits for that."""

from datetime import timedelta
from uuid import UUID

import pytest

from functions.orders.advance_order import advance_order
from functions.orders.pay_order import PayOrder, pay_order
from shared.inventory.events import CommitHold, ExtendHold, HoldExpired, HoldReleased, ReleaseHold, StockHeld
from shared.orders.events import OrderAwaitingCustomer, OrderCardChanged
from shared.orders.problems import CannotPay, TooManyCards, UnknownOrder
from shared.orders.progress import ANOTHER_CARD_AT_MOST
from shared.orders.saga import State
from shared.payments.events import (
    AuthorizePayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentVoided,
    VoidPayment,
)
from shared.runtime.auth import Caller
from tests.conftest import CUSTOMER, NOW, Books, Run
from tests.functions.orders.sagas import ACTION_URL, TOTAL, WAYS, happens, order_at, standing, told

STRANGER = Caller("customer-2", frozenset({"public", "customer"}))


async def awaiting(run: Run, db: Books) -> UUID:
    """An order whose card was declined, and that waits for another."""
    order = await order_at(run, State.HOLDING, db, on_decline="wait")
    for what in (StockHeld, PaymentDeclined):
        await happens(run, order, what)
    return order


async def test_an_order_that_is_declined_waits_for_another_card_if_it_may(run: Run, db: Books) -> None:
    order = await order_at(run, State.HOLDING, db, on_decline="wait")
    await happens(run, order, StockHeld)
    emitted = await happens(run, order, PaymentDeclined)

    pay_by = NOW + timedelta(seconds=930)
    assert emitted == [OrderAwaitingCustomer(order_id=order, reason="payment_declined", pay_by=pay_by)]
    after = await standing(db, order)
    assert (after.state, after.status, after.payment) == (State.AWAITING_CUSTOMER, "awaiting_customer", "declined")


async def test_another_card_is_authorized_under_another_key(run: Run, db: Books) -> None:
    order = await awaiting(run, db)
    view, emitted = await run(pay_order, PayOrder(order_id=order, payment_token="tok_slow"))

    assert view.status == "pending"
    assert emitted == [
        AuthorizePayment(
            order_id=order,
            amount_minor=TOTAL,
            currency="GBP",
            payment_token="tok_slow",
            command_key=f"{order}/authorize/2",
        ),
        OrderCardChanged(order_id=order, attempt=2),
        ExtendHold(order_id=order, expires_in_s=900),
    ]
    assert await db.value("select payment_token from orders.orders") == "tok_slow"


async def test_an_answer_about_the_card_before_is_not_taken_for_one_about_this(run: Run, db: Books) -> None:
    order = await awaiting(run, db)
    await run(pay_order, PayOrder(order_id=order, payment_token="tok_slow"))
    assert await happens(run, order, PaymentDeclined) == []
    assert (await standing(db, order)).state == State.AUTHORIZING

    second = told(PaymentDeclined, order).model_copy(update={"command_key": f"{order}/authorize/2"})
    _, emitted = await run(advance_order, second)
    assert [type(event) for event in emitted] == [OrderAwaitingCustomer]


async def test_money_is_taken_whichever_card_it_is_on(run: Run, db: Books) -> None:
    order = await awaiting(run, db)
    await run(pay_order, PayOrder(order_id=order, payment_token="tok_slow"))
    assert await happens(run, order, PaymentAuthorized) == [CommitHold(order_id=order)]


@pytest.mark.parametrize("expires", [True, False])
async def test_a_card_that_comes_after_the_money_is_no_refusal(expires: bool, run: Run, db: Books) -> None:
    """The action was done meanwhile; that it was may be heard later than that the second card was not needed."""
    order = await order_at(run, State.AWAITING_CUSTOMER)
    await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve"))
    if expires:
        await happens(run, order, HoldExpired)
    needless = told(PaymentDeclined, order).model_copy(
        update={"command_key": f"{order}/authorize/2", "code": "already_authorized"}
    )
    assert await run(advance_order, needless) == (None, [])

    (emitted,) = await happens(run, order, PaymentAuthorized)
    assert type(emitted) is (VoidPayment if expires else CommitHold)


@pytest.mark.parametrize("voided", [True, False])
async def test_a_card_that_is_charged_after_the_order_was_given_up_is_voided(voided: bool, run: Run, db: Books) -> None:
    """The first card paid after all, and that was voided, before the second was tried at all."""
    order = await order_at(run, State.AWAITING_CUSTOMER)
    await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve"))
    await happens(run, order, HoldExpired)
    await happens(run, order, PaymentAuthorized)
    if voided:
        await happens(run, order, PaymentVoided)
        await happens(run, order, HoldReleased)
    second = told(PaymentAuthorized, order).model_copy(update={"command_key": f"{order}/authorize/2"})
    _, emitted = await run(advance_order, second)

    assert emitted == [VoidPayment(order_id=order, command_key=f"{order}/void/2")]
    if not voided:
        assert await happens(run, order, PaymentVoided) == []
        answer = told(PaymentVoided, order).model_copy(update={"command_key": f"{order}/void/2"})
        _, emitted = await run(advance_order, answer)
        assert [type(event) for event in emitted] == [ReleaseHold]
        await happens(run, order, HoldReleased)
    assert (await standing(db, order)).state == State.EXPIRED


async def test_the_customer_is_shown_where_to_act_until_it_is_done(run: Run, db: Books) -> None:
    order = await order_at(run, State.AWAITING_CUSTOMER)
    assert (await standing(db, order)).action_url == ACTION_URL
    await happens(run, order, PaymentAuthorized)
    assert (await standing(db, order)).action_url is None


async def test_an_action_is_given_up_for_another_card(run: Run) -> None:
    order = await order_at(run, State.AWAITING_CUSTOMER)
    _, emitted = await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve"))
    assert isinstance(emitted[0], AuthorizePayment)
    assert emitted[0].command_key == f"{order}/authorize/2"


@pytest.mark.parametrize("state", [state for state in WAYS if state is not State.AWAITING_CUSTOMER])
async def test_an_order_that_does_not_wait_cannot_be_paid(state: State, run: Run) -> None:
    order = await order_at(run, state)
    with pytest.raises(CannotPay):
        await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve"))


async def test_an_order_that_expired_cannot_be_paid(run: Run, db: Books) -> None:
    order = await awaiting(run, db)
    await happens(run, order, HoldExpired)
    with pytest.raises(CannotPay):
        await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve"))


async def test_only_its_owner_pays_for_an_order(run: Run, db: Books) -> None:
    order = await awaiting(run, db)
    for id, caller in ((order, STRANGER), (UUID(int=404), CUSTOMER)):
        with pytest.raises(UnknownOrder):
            await run(pay_order, PayOrder(order_id=id, payment_token="tok_approve"), caller=caller)


async def test_cards_are_not_tried_without_end(run: Run, db: Books) -> None:
    order = await awaiting(run, db)
    for number in range(2, ANOTHER_CARD_AT_MOST + 1):
        await run(pay_order, PayOrder(order_id=order, payment_token="tok_decline"))
        declined = told(PaymentDeclined, order).model_copy(update={"command_key": f"{order}/authorize/{number}"})
        await run(advance_order, declined)
    with pytest.raises(TooManyCards):
        await run(pay_order, PayOrder(order_id=order, payment_token="tok_approve"))


async def test_an_action_that_fails_leaves_the_order_waiting_for_another_card(run: Run, db: Books) -> None:
    order = await order_at(run, State.HOLDING, db, on_decline="wait")
    for what in (StockHeld, PaymentActionRequired, PaymentDeclined):
        await happens(run, order, what)
    after = await standing(db, order)
    assert (after.state, after.payment, after.action_url) == (State.AWAITING_CUSTOMER, "declined", None)
