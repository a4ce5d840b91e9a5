"""Deny what a customer asks to have back, and say why (ORD-011)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.audit import record
from shared.orders.fulfilment_tables import refund_requests
from shared.orders.refund_requests import RefundRequestView, decide, read_request, request_of
from shared.orders.tables import audit, orders
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


class DenyRefund(Request):
    """`answer` is told to the customer."""

    request_id: UUID
    answer: Annotated[Line, Field(examples=["the goods were used"])]


@http(
    "POST /v1/admin/refund-requests/{request_id}/deny",
    role=("admin", "operator"),
    idempotent=True,
    reads=[orders],
    writes=[refund_requests, audit],
)
async def deny_refund(request: DenyRefund, work: Work) -> RefundRequestView:
    """Raises UnknownRefundRequest; AlreadyDecided."""
    asked = await request_of(work, request.request_id)
    await decide(work, asked.id, "denied", answer=request.answer)
    await record(work, "refund.denied", asked.order_id, reason=request.answer, request_id=str(asked.id))
    return await read_request(work, asked.id)
