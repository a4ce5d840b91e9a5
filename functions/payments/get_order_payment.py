"""See how the payment of one's own order stands, and where to confirm it if the bank asks for that."""

from uuid import UUID

from sqlalchemy import bindparam, select, text

from shared.orders.tables import orders
from shared.payments.problems import PaymentNotFound
from shared.payments.tables import attempts, payments
from shared.payments.views import OwnPayment
from shared.runtime import Request, Work, http

OWNER = select(orders.c.customer_id, orders.c.currency, orders.c.total_minor).where(
    orders.c.id == bindparam("order_id")
)
PAYMENT = text("""
select p.*, a.action_url, a.action_expires_at,
  case p.status when 'declined' then (
    select code from payments.attempts d where d.order_id = p.order_id and d.operation = 'authorize'
      and d.state = 'failed' order by d.finished_at desc limit 1) end as declined_code
from payments.payments p left join payments.attempts a on a.order_id = p.order_id and a.state = 'action'
where p.order_id = :order_id
""")


class GetOrderPayment(Request):
    order_id: UUID


@http("GET /v1/orders/{order_id}/payment", role=("customer", "admin", "operator"), reads=[orders, payments, attempts])
async def get_order_payment(request: GetOrderPayment, work: Work) -> OwnPayment:
    """Before anything was asked of the provider, a payment is `created`.

    Raises PaymentNotFound, also for an order that is somebody else's.
    """
    order = await work.db.one(OWNER, order_id=request.order_id)
    if order is None or not (work.caller.has("admin", "operator") or order.customer_id == work.caller.subject):
        raise PaymentNotFound
    row = await work.db.one(PAYMENT, order_id=request.order_id)
    if row is not None:
        return OwnPayment.model_validate(row._asdict())
    return OwnPayment(
        order_id=request.order_id,
        status="created",
        currency=order.currency,
        amount_minor=order.total_minor,
        captured_minor=0,
        refunded_minor=0,
        declined_code=None,
        action_url=None,
        action_expires_at=None,
    )
