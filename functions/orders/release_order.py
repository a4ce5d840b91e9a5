"""Release an order that is held for review (ORD-013)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk import ReviewState, WithReason, taken
from shared.orders.desk_events import OrderReviewEnded
from shared.orders.desk_problems import NotUnderReview
from shared.orders.tables import audit, orders
from shared.runtime import Work, http

RELEASE = text("update orders.orders set review = null, version = version + 1 where id = :order_id")


@http(
    "POST /v1/admin/orders/{order_id}/review/release",
    role=("admin", "operator"),
    writes=[orders, audit],
    emits=[OrderReviewEnded],
)
async def release_order(request: WithReason, work: Work) -> ReviewState:
    """Raises UnknownOrder; NotUnderReview."""
    order = await taken(work, request.order_id)
    if order.review is None:
        raise NotUnderReview(order_id=order.id)
    await work.db.send(RELEASE, order_id=order.id)
    await record(work, "order.review_ended", order.id, reason=request.reason)
    work.emit(OrderReviewEnded(order_id=order.id))
    return ReviewState(order_id=order.id, review=None)
