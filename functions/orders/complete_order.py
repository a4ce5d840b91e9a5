"""Complete an order by hand, of which nothing is open any more (ORD-013)."""

from uuid import UUID

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk import WithReason
from shared.orders.desk_problems import CannotComplete
from shared.orders.events import OrderCompleted
from shared.orders.problems import UnknownOrder
from shared.orders.progress import lock
from shared.orders.saga import State
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.payments.tables import payments
from shared.runtime import View, Work, http

OPEN = text("""
select (
    select coalesce(array_agg(line_no order by line_no), '{}') from orders.order_lines
    where order_id = o.id and shipped_quantity + cancelled_quantity < quantity) as lines,
  o.total_minor - o.refunded_minor - coalesce(p.captured_minor - p.refunded_minor, 0) as due_minor
from orders.orders o left join payments.payments p on p.order_id = o.id where o.id = :order_id
""")

COMPLETE = text("update orders.orders set status = 'completed', version = version + 1 where id = :order_id")


class CompletedView(View):
    order_id: UUID
    status: str


@http(
    "POST /v1/admin/orders/{order_id}/complete",
    role=("admin", "operator"),
    reads=[order_lines, payments],
    writes=[orders, sagas, audit],
    emits=[OrderCompleted],
)
async def complete_order(request: WithReason, work: Work) -> CompletedView:
    """For an order that should have become so by itself: every line is shipped or cancelled, and its money is captured.

    Nobody confirms an order by hand: what a confirmation needs, stock and money, only its saga can bring.

    Raises UnknownOrder; CannotComplete.
    """
    order_id = request.order_id
    at = await lock(work, order_id, with_order=True)
    if at is None:
        raise UnknownOrder(order_id=order_id)
    if at.status != "confirmed" or at.state is not State.COMPLETED:
        raise CannotComplete(order_id=order_id, open={"status": at.status, "saga": at.state.value})
    found = await work.db.one(OPEN, order_id=order_id)
    assert found is not None, "the order is locked"
    still = {"lines": found.lines} if found.lines else {}
    if found.due_minor > 0:
        still["due_minor"] = found.due_minor
    if at.fulfilment == "shipping":
        still["fulfilment"] = at.fulfilment
    if still:
        raise CannotComplete(order_id=order_id, open=still)
    await work.db.send(COMPLETE, order_id=order_id)
    await record(work, "order.completed", order_id, reason=request.reason)
    work.emit(OrderCompleted(order_id=order_id, currency=at.currency, total_minor=at.total_minor))
    return CompletedView(order_id=order_id, status="completed")
