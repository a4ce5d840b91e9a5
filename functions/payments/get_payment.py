"""See what was authorised, captured and refunded for an order, and every attempt at it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select

from shared.payments.problems import PaymentNotFound
from shared.payments.tables import attempts, payments
from shared.runtime import Request, View, Work, http

PAYMENT = select(payments).where(payments.c.order_id == bindparam("order_id"))
ATTEMPTS = (
    select(attempts).where(attempts.c.order_id == bindparam("order_id")).order_by(attempts.c.created_at, attempts.c.key)
)


class GetPayment(Request):
    order_id: UUID


class AttemptView(View):
    """`state` is waiting, sending, unknown, succeeded or failed."""

    key: str
    operation: str
    amount_minor: int | None
    refund_id: UUID | None
    state: str
    code: str | None
    queries: int
    created_at: datetime
    finished_at: datetime | None
    next_query_at: datetime | None


class PaymentView(View):
    """`status` is unknown while the provider has not said what became of an attempt."""

    order_id: UUID
    status: str
    currency: str | None
    amount_minor: int
    authorized_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    attempts: list[AttemptView]


@http("GET /v1/payments/{order_id}", role=("admin", "operator"), reads=[payments, attempts])
async def get_payment(request: GetPayment, work: Work) -> PaymentView:
    """Raises PaymentNotFound."""
    payment = await work.db.one(PAYMENT, order_id=request.order_id)
    if payment is None:
        raise PaymentNotFound
    rows = [row._asdict() for row in await work.db.all(ATTEMPTS, order_id=request.order_id)]
    unknown = any(row["state"] == "unknown" for row in rows)
    view = payment._asdict() | {"attempts": rows}
    return PaymentView.model_validate(view | {"status": "unknown"} if unknown else view)
