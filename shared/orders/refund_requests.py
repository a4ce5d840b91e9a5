"""What a customer asks to have back, and what is decided of it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.orders.asking import LineUnits
from shared.orders.fulfilling import Order
from shared.orders.fulfilment_problems import AlreadyDecided, NotSoMany, UnknownRefundRequest
from shared.runtime import View, Work
from shared.runtime.pipeline import Row


class RefundRequestView(View):
    """`amount_minor` is what was asked for, `granted_minor` what was given, `answer` what was said to it."""

    id: UUID
    order_id: UUID
    lines: list[LineUnits]
    amount_minor: int
    currency: str
    reason: str
    status: Literal["open", "granted", "denied"]
    granted_minor: int | None
    answer: str | None
    decided_at: datetime | None
    created_at: datetime


REQUEST = """
select r.id, r.order_id, r.lines, r.amount_minor, o.currency, r.reason, r.status, r.granted_minor, r.answer,
  r.decided_at, r.created_at
from orders.refund_requests r join orders.orders o on o.id = r.order_id
"""
ONE = text(f"{REQUEST} where r.id = :id")

KEEP = text("""
insert into orders.refund_requests (id, order_id, lines, amount_minor, reason, status, created_at)
values (:id, :order_id, cast(:lines as jsonb), :amount_minor, :reason, 'open', :now)
on conflict (order_id) where status = 'open' do nothing
returning true
""")

DECIDE = text("""
update orders.refund_requests
set status = :status, granted_minor = :granted_minor, answer = :answer, decided_by = :actor, decided_at = :now
where id = :id and status = 'open'
returning true
""")


async def read_request(work: Work, id: UUID) -> RefundRequestView:
    """Raises UnknownRefundRequest."""
    return RefundRequestView.model_validate((await request_of(work, id))._asdict())


async def request_of(work: Work, id: UUID) -> Row:
    """Raises UnknownRefundRequest."""
    row = await work.db.one(ONE, id=id)
    if row is None:
        raise UnknownRefundRequest(request_id=id)
    return row


async def keep_request(work: Work, order: Order, lines: dict[int, int], amount_minor: int, reason: str) -> UUID | None:
    """None where one is open."""
    id = work.new_id()
    asked: list[dict[str, Any]] = [{"line_no": no, "quantity": units} for no, units in sorted(lines.items())]
    kept = await work.db.value(
        KEEP,
        id=id,
        order_id=order.id,
        lines=orjson.dumps(asked).decode(),
        amount_minor=amount_minor,
        reason=reason,
        now=work.now,
    )
    return id if kept else None


async def decide(work: Work, id: UUID, status: str, *, answer: str | None, granted_minor: int | None = None) -> None:
    """Raises AlreadyDecided."""
    decided = await work.db.value(
        DECIDE,
        id=id,
        status=status,
        granted_minor=granted_minor,
        answer=answer,
        actor=work.caller.subject,
        now=work.now,
    )
    if not decided:
        raise AlreadyDecided(request_id=id, status_now=(await request_of(work, id)).status)


def worth(order: Order, lines: dict[int, int]) -> int:
    """What these units of the order cost, of those that left and did not come back. Raises NotSoMany."""
    check_returnable(order, lines)
    return sum(order.lines[no].share(units, order.lines[no].returned) for no, units in lines.items())


def check_returnable(order: Order, lines: dict[int, int]) -> None:
    lacking = [
        {"line_no": no, "quantity": units, "left": order.lines[no].returnable if no in order.lines else 0}
        for no, units in sorted(lines.items())
        if no not in order.lines or units > order.lines[no].returnable
    ]
    if lacking:
        raise NotSoMany(order_id=order.id, lines=lacking)
