"""Ask to be paid back, for units of an order or for an amount (ORD-011)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.asking import Lines, check_stands, lock_order, summed
from shared.orders.audit import record
from shared.orders.fulfilment_problems import MoreThanPaid, RefundRequestOpen
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refund_requests, steps
from shared.orders.refund_requests import RefundRequestView, keep_request, read_request, worth
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.runtime import Request, Work, http
from shared.vocabulary import Line, Minor


class RequestRefund(Request):
    """Of units that have left, or an amount, or both; with neither all that was paid."""

    order_id: UUID
    reason: Annotated[Line, Field(examples=["arrived broken"])]
    lines: Lines | None = None
    amount_minor: Annotated[Minor, Field(gt=0)] | None = None


@http(
    "POST /v1/orders/{order_id}/refund-requests",
    status=201,
    role=("customer", "admin", "operator"),
    idempotent=True,
    reads=[order_lines, fulfilments, fulfilment_lines, steps],
    writes=[orders, sagas, refund_requests, audit],
)
async def request_refund(request: RequestRefund, work: Work) -> RefundRequestView:
    """A person decides; one request of an order is open at a time.

    Raises UnknownOrder, also for somebody else's; OrderNotReady; NotSoMany; MoreThanPaid; RefundRequestOpen.
    """
    _, order = await lock_order(work, request.order_id)
    check_stands(order)
    lines = summed(request.lines or [])
    amount = worth(order, lines) if lines else order.refundable_minor
    amount = request.amount_minor or min(amount, order.refundable_minor)
    if not 0 < amount <= order.refundable_minor:
        raise MoreThanPaid(order_id=order.id, refundable_minor=order.refundable_minor)
    id = await keep_request(work, order, lines, amount, request.reason)
    if id is None:
        raise RefundRequestOpen(order_id=order.id)
    if order.at.customer_id != work.caller.subject:
        await record(work, "refund.requested", order.id, reason=request.reason, request_id=str(id))
    return await read_request(work, id)
