"""Have a refund tried again that has failed, under a new key (ORD-011)."""

from uuid import UUID

from sqlalchemy import text

from shared.orders import saga
from shared.orders.audit import record
from shared.orders.fulfilling import SAID, lock_orders
from shared.orders.fulfilment_problems import MoreThanPaid, NotFailed, OrderNotReady, UnknownRefund
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refunds, steps
from shared.orders.fulfilment_views import RefundView, read_refund
from shared.orders.refunding import tell
from shared.orders.steps import ANSWER_WITHIN
from shared.orders.steps import FAILED as STEP_FAILED
from shared.orders.tables import audit, order_lines, orders, return_lines, sagas
from shared.payments.events import RefundPayment
from shared.runtime import Request, Work, http
from shared.vocabulary import Line

OWNER = text("select order_id from orders.refunds where id = :id")


class RetryRefund(Request):
    refund_id: UUID
    reason: Line


@http(
    "POST /v1/admin/refunds/{refund_id}/retry",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    writes=[orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, refunds, return_lines, audit],
    emits=[RefundPayment, *SAID],
)
async def retry_refund(request: RetryRefund, work: Work) -> RefundView:
    """Also of an order that was cancelled meanwhile. Raises UnknownRefund; NotFailed; OrderNotReady; MoreThanPaid."""
    order_id = await work.db.value(OWNER, id=request.refund_id)
    if order_id is None:
        raise UnknownRefund(refund_id=request.refund_id)
    locked = await lock_orders(work, [order_id], steps=[request.refund_id])
    order = locked.orders[order_id]
    step = order.steps[request.refund_id]
    if step.state is not STEP_FAILED:
        raise NotFailed(status_now=(await read_refund(work, step.id)).status)
    if order.at.state not in (saga.COMPLETED, saga.CANCELLED):
        raise OrderNotReady(order_id=order_id, status_now=order.at.status)
    amount = step.amount_minor or 0
    if amount > order.refundable_minor:
        raise MoreThanPaid(order_id=order_id, refundable_minor=order.refundable_minor)
    order.refunded_minor += amount
    step.ask_anew(work.now + ANSWER_WITHIN)
    locked.changed_steps[step.id] = step
    locked.touch(order)
    work.emit(step.command)
    await tell(locked, [(step.id, "requested", None)])
    await locked.save()
    await record(work, "refund.retried", order_id, reason=request.reason, refund_id=str(step.id))
    return await read_refund(work, step.id)
