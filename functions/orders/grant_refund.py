"""Grant what a customer asks to have back: all of it, a part, or certain units (ORD-011)."""

from uuid import UUID

from shared.orders.asking import lock_order
from shared.orders.audit import record
from shared.orders.fulfilment_problems import AlreadyDecided
from shared.orders.fulfilment_tables import refund_requests
from shared.orders.paying_back import EMITS, WRITES, PayBack, pay_back, units_of
from shared.orders.refund_requests import RefundRequestView, decide, read_request, request_of
from shared.runtime import Work, http
from shared.vocabulary import Line


class GrantRefund(PayBack):
    """What is left out is as it was asked for. `answer` is told to the customer."""

    request_id: UUID
    answer: Line | None = None


@http(
    "POST /v1/admin/refund-requests/{request_id}/grant",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    writes=[*WRITES, refund_requests],
    emits=EMITS,
)
async def grant_refund(request: GrantRefund, work: Work) -> RefundRequestView:
    """Raises UnknownRefundRequest; AlreadyDecided; OrderNotReady; NotSoMany; MoreThanPaid."""
    asked = await request_of(work, request.request_id)
    locked, order = await lock_order(work, asked.order_id)
    asked = await request_of(work, request.request_id)  # as it is now that nobody else decides
    if asked.status != "open":
        raise AlreadyDecided(request_id=asked.id, status_now=asked.status)
    lines, amount = units_of(request), request.amount_minor
    if not lines and amount is None:
        lines, amount = {line["line_no"]: line["quantity"] for line in asked.lines}, asked.amount_minor
    if request.restock_at is not None and not lines:
        request.check()
    before = order.refunded_minor
    refund_id = await pay_back(
        locked,
        order,
        lines=lines,
        amount_minor=amount,
        restock_at=request.restock_at,
        source="request",
        reason=asked.reason,
        request_id=asked.id,
    )
    granted = order.refunded_minor - before
    await decide(work, asked.id, "granted", answer=request.answer, granted_minor=granted)
    await locked.save()
    await record(
        work, "refund.granted", order.id, reason=request.answer, refund_id=str(refund_id), amount_minor=granted
    )
    return await read_request(work, asked.id)
