"""Pay back to a customer without being asked: an amount, or certain units (ORD-011)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.asking import lock_order
from shared.orders.audit import record
from shared.orders.fulfilment_views import RefundView, read_refund
from shared.orders.paying_back import EMITS, WRITES, PayBack, pay_back, units_of
from shared.runtime import Work, http
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import Line


class RefundOrder(PayBack):
    order_id: UUID
    reason: Annotated[Line, Field(examples=["came late"])]


async def paid(view: RefundView, work: Work, last: bool) -> RefundView | None:
    now = await read_refund(work, view.id)
    return now if last or now.status != "requested" else None


@http(
    "POST /v1/admin/orders/{order_id}/refunds",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    wait=paid,
    writes=WRITES,
    emits=EMITS,
)
async def refund_order(request: RefundOrder, work: Work) -> RefundView:
    """Raises UnknownOrder; OrderNotReady; NotSoMany; MoreThanPaid: never more than was captured and is not back yet."""
    request.check()
    if request.lines is None and request.amount_minor is None:
        raise ValidationFailed(errors=[{"pointer": "", "detail": "Say an amount, or which units."}])
    locked, order = await lock_order(work, request.order_id)
    refund_id = await pay_back(
        locked,
        order,
        lines=units_of(request),
        amount_minor=request.amount_minor,
        restock_at=request.restock_at,
        source="goodwill",
        reason=request.reason,
    )
    await locked.save()
    await record(work, "order.refunded", order.id, reason=request.reason, refund_id=str(refund_id))
    return await read_refund(work, refund_id)
