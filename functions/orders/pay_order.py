"""Pay an order that waits for its customer, with another card (ORD-009)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.inventory.events import ExtendHold
from shared.orders.events import OrderCardChanged
from shared.orders.placing import HOLD_S
from shared.orders.problems import CannotPay, TooManyCards, UnknownOrder
from shared.orders.progress import ANOTHER_CARD_AT_MOST, lock_all
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, read_order, settled
from shared.payments.events import AuthorizePayment
from shared.runtime import Request, Work, http

SET_TOKEN = text("update orders.orders set payment_token = :payment_token where id = :order_id")


class PayOrder(Request):
    order_id: UUID
    payment_token: Annotated[str, Field(min_length=1, max_length=200, examples=["tok_approve"])]


@http(
    "POST /v1/orders/{order_id}/pay",
    status=202,
    role="customer",
    idempotent=True,
    wait=settled,
    reads=[order_lines],
    writes=[orders, sagas, saga_moves],
    emits=[OrderCardChanged, AuthorizePayment, ExtendHold],
)
async def pay_order(request: PayOrder, work: Work) -> OrderView:
    """Its stock is held for as long as after its placement, from now. What was begun with the card before is given up.

    Raises UnknownOrder, also for somebody else's; CannotPay unless it waits for its customer; TooManyCards.
    """
    order_id = request.order_id
    locked = await lock_all(work, [order_id], with_order=True)
    at = locked.standings.get(order_id)
    if at is None or at.customer_id != work.caller.subject:
        raise UnknownOrder(order_id=order_id)
    if at.status != "awaiting_customer":
        raise CannotPay(order_id=order_id, status_now=at.status)
    if at.tries.get("authorize", 1) >= ANOTHER_CARD_AT_MOST:
        raise TooManyCards(order_id=order_id, at_most=ANOTHER_CARD_AT_MOST)
    locked.change_card(order_id, request.payment_token)
    locked.steer(order_id, OrderCardChanged, "another card")
    work.emit(ExtendHold(order_id=order_id, expires_in_s=HOLD_S))
    await work.db.send(SET_TOKEN, order_id=order_id, payment_token=request.payment_token)
    await locked.save()
    return await read_order(work, order_id)
