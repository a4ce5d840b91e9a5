"""Pay an order that waits for its customer, with another card (ORD-009)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.inventory.events import ExtendHold
from shared.orders.customers_word import lock_order, pay_anew
from shared.orders.events import OrderCardChanged
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, read_order, settled
from shared.payments.events import AuthorizePayment
from shared.runtime import Request, Work, http


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
    locked, at = await lock_order(work, request.order_id)
    await pay_anew(work, locked, at, request.payment_token)
    return await read_order(work, at.order_id)
