"""Settle what a return asked for, by what payments answered (ORD-011)."""

from sqlalchemy import text

from shared.orders.tables import orders, return_lines
from shared.payments.events import RefundFailed, RefundSucceeded
from shared.runtime import Work, on_event

SUCCEEDED = text("""
update orders.return_lines set status = 'succeeded'
where refund_id = :refund_id and status = 'requested'
""")

FAILED = text("""
with failed as (
  update orders.return_lines set status = 'failed', failure = :code
  where refund_id = :refund_id and status = 'requested'
  returning order_id, amount_minor
)
update orders.orders o set refunded_minor = o.refunded_minor - f.amount_minor, version = o.version + 1
from failed f where o.id = f.order_id
""")


@on_event(RefundSucceeded, RefundFailed, writes=[orders, return_lines])
async def settle_refund(event: RefundSucceeded | RefundFailed, work: Work) -> None:
    """A refund that is not of a return, such as a cancellation's, is none of its business."""
    if isinstance(event, RefundSucceeded):
        await work.db.send(SUCCEEDED, refund_id=event.refund_id)
    else:
        await work.db.send(FAILED, refund_id=event.refund_id, code=event.code)
