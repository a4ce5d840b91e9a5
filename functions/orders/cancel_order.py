"""Cancel an order; whatever is under way is waited for, then given back (ORD-007)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.inventory.events import ReleaseHold
from shared.orders.audit import record
from shared.orders.events import OrderCancelling
from shared.orders.problems import CannotCancel, UnknownOrder
from shared.orders.progress import lock_all
from shared.orders.tables import audit, order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, read_order, settled
from shared.payments.events import RefundPayment, VoidPayment
from shared.runtime import Request, Work, http
from shared.vocabulary import Line

CAME_BACK = text("select exists (select from orders.order_lines where order_id = :order_id and returned_quantity > 0)")


class CancelOrder(Request):
    order_id: UUID
    reason: Annotated[Line, Field(examples=["changed my mind"])]


@http(
    "POST /v1/orders/{order_id}/cancel",
    status=202,
    role=("customer", "admin", "operator"),
    idempotent=True,
    wait=settled,
    reads=[order_lines],
    writes=[orders, sagas, saga_moves, audit],
    emits=[OrderCancelling, VoidPayment, RefundPayment, ReleaseHold],
)
async def cancel_order(request: CancelOrder, work: Work) -> OrderView:
    """Until the first goods are on their way; of lines that were cancelled before, the rest is given back.

    Raises UnknownOrder, also for somebody else's; CannotCancel when it has ended, is ending, or goods have left or
    came back.
    """
    order_id = request.order_id
    locked = await lock_all(work, [order_id], with_order=True)
    at = locked.standings.get(order_id)
    insider = work.caller.has("admin", "operator")
    if at is None or not (at.customer_id == work.caller.subject or insider):
        raise UnknownOrder(order_id=order_id)
    gone = at.fulfilment != "unfulfilled" or await work.db.value(CAME_BACK, order_id=order_id)
    if gone or not locked.steer(order_id, OrderCancelling, request.reason):
        raise CannotCancel(order_id=order_id, status_now=at.status)
    await locked.save()
    if at.customer_id != work.caller.subject:
        await record(work, "order.cancelled", order_id, reason=request.reason, state=at.state.value)
    return await read_order(work, order_id)
