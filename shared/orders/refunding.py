"""Money that goes back to customers: never more than was captured, and each refund once."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from shared.orders.fulfilling import Fulfilling, Order
from shared.orders.fulfilment_problems import MoreThanPaid, OrderNotReady
from shared.orders.steps import REFUND, Step
from shared.runtime import Event

KEEP_REFUND = text("""
insert into orders.refunds (id, order_id, amount_minor, source, reason, status, request_id, created_at, updated_at)
values (:id, :order_id, :amount_minor, :source, :reason, 'requested', :request_id, :now, :now)
""")

TELL_REFUNDS = text("""
with told as (
  select * from unnest(cast(:ids as uuid[]), cast(:statuses as text[]), cast(:failures as text[]))
    as t (id, status, failure)
), returned as (
  update orders.return_lines l set status = t.status, failure = t.failure from told t where l.refund_id = t.id
)
update orders.refunds r set status = t.status, failure = t.failure, updated_at = :now from told t where r.id = t.id
""")


async def refund(
    locked: Fulfilling,
    order: Order,
    amount_minor: int,
    *,
    source: str,
    reason: str,
    request_id: UUID | None = None,
    because: Event | None = None,
) -> Step:
    """Asks payments for it. Raises OrderNotReady, and MoreThanPaid."""
    if not order.stands:
        raise OrderNotReady(order_id=order.id, status_now=order.at.status)
    if not 0 < amount_minor <= order.refundable_minor:
        raise MoreThanPaid(order_id=order.id, refundable_minor=order.refundable_minor)
    order.refunded_minor += amount_minor
    step = locked.ask(order, REFUND, source=source, reason=reason, amount_minor=amount_minor, because=because)
    work = locked.work
    await work.db.send(
        KEEP_REFUND,
        id=step.id,
        order_id=order.id,
        amount_minor=amount_minor,
        source=source,
        reason=reason,
        request_id=request_id,
        now=work.now,
    )
    return step


async def tell(locked: Fulfilling, news: Sequence[tuple[UUID, str, str | None]]) -> None:
    """What became of refunds: id, status, and the failure's code."""
    if news:
        ids, statuses, failures = (list(column) for column in zip(*news, strict=True))
        await locked.work.db.send(TELL_REFUNDS, ids=ids, statuses=statuses, failures=failures, now=locked.work.now)
