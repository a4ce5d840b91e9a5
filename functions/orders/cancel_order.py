"""Cancel an order; whatever is under way is waited for, then given back (ORD-007)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.inventory.events import ReleaseHold
from shared.orders.audit import record
from shared.orders.customers_word import cancel, lock_order
from shared.orders.events import OrderCancelling
from shared.orders.tables import audit, order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, read_order, settled
from shared.payments.events import RefundPayment, VoidPayment
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


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
    locked, at = await lock_order(work, request.order_id, insiders=("admin", "operator"))
    await cancel(work, locked, at, request.reason)
    if at.customer_id != work.caller.subject:
        await record(work, "order.cancelled", at.order_id, reason=request.reason, state=at.state.value)
    return await read_order(work, at.order_id)
