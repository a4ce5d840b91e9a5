"""See what was authorised, captured, refunded and disputed for an order, every attempt at it, and its ledger."""

from uuid import UUID

from shared.payments.problems import PaymentNotFound
from shared.payments.tables import attempts, chargebacks, ledger, payments
from shared.payments.views import PaymentView, view_of
from shared.runtime import Request, Work, http


class GetPayment(Request):
    order_id: UUID


@http("GET /v1/payments/{order_id}", role=("admin", "operator"), reads=[payments, attempts, ledger, chargebacks])
async def get_payment(request: GetPayment, work: Work) -> PaymentView:
    """Raises PaymentNotFound."""
    view = await view_of(request.order_id, work)
    if view is None:
        raise PaymentNotFound
    return view
