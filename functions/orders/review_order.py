"""Hold an order for review: nothing of it is shipped until it is released (ORD-013)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk import ReviewState, WithReason, taken
from shared.orders.desk_events import OrderReviewStarted
from shared.orders.desk_problems import CannotReview
from shared.orders.tables import audit, orders
from shared.runtime import Work, http

HOLD = text("update orders.orders set review = :reason, version = version + 1 where id = :order_id")

REVIEWABLE = frozenset({"pending", "awaiting_customer", "confirmed"})
STILL_HERE = frozenset({"unfulfilled", "partial"})


@http(
    "POST /v1/admin/orders/{order_id}/review",
    role=("admin", "operator"),
    writes=[orders, audit],
    emits=[OrderReviewStarted],
)
async def review_order(request: WithReason, work: Work) -> ReviewState:
    """Its payment goes on, and its stock stays held. Again, the reason is the newer one.

    Raises UnknownOrder; CannotReview when it has ended, all of it has left, or a shipment is just being made.
    """
    order = await taken(work, request.order_id)
    if order.status not in REVIEWABLE or order.fulfilment not in STILL_HERE:
        raise CannotReview(order_id=order.id, status_now=order.status, fulfilment_now=order.fulfilment)
    if order.review != request.reason:
        await work.db.send(HOLD, order_id=order.id, reason=request.reason)
        await record(work, "order.review_started", order.id, reason=request.reason)
        if order.review is None:
            work.emit(OrderReviewStarted(order_id=order.id))
    return ReviewState(order_id=order.id, review=request.reason)
