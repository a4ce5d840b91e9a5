"""Cancel an order; whatever is under way is waited for, then given back (ORD-007)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.events import OrderCancelling
from shared.orders.problems import CannotCancel, UnknownOrder
from shared.orders.progress import cancel, lock
from shared.orders.saga import CANCEL
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, read_order, settled
from shared.payments.events import RefundPayment
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


class CancelOrder(Request):
    order_id: UUID
    reason: Annotated[Line, Field(examples=["changed my mind"])]


@http(
    "POST /v1/orders/{order_id}/cancel",
    status=202,
    role=("customer", "admin"),
    idempotent=True,
    wait=settled,
    reads=[order_lines],
    writes=[orders, sagas, saga_moves],
    emits=[OrderCancelling, RefundPayment],
)
async def cancel_order(request: CancelOrder, work: Work) -> OrderView:
    """Raises UnknownOrder, also for somebody else's; CannotCancel when it has ended, is ending, or goods came back."""
    standing = await lock(work, request.order_id, with_order=True)
    if standing is None or not (standing.customer_id == work.caller.subject or work.caller.has("admin")):
        raise UnknownOrder(order_id=request.order_id)
    if standing.state not in CANCEL or standing.refunded_minor:
        raise CannotCancel(order_id=request.order_id, status_now=standing.status)
    await cancel(work, standing, request.reason)
    return await read_order(work, request.order_id)
