"""Note that a shipment has arrived (ORD-005)."""

from uuid import UUID

from shared.orders.asking import lock_fulfilment
from shared.orders.audit import record
from shared.orders.fulfilling import SAID
from shared.orders.fulfilment import DELIVERED
from shared.orders.fulfilment_problems import FulfilmentHasMoved
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, steps
from shared.orders.fulfilment_views import FulfilmentView, read_fulfilment
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.runtime import Request, Work, http
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import Moment


class DeliverFulfilment(Request):
    """`at` is when, if that was earlier than now."""

    fulfilment_id: UUID
    at: Moment | None = None


@http(
    "POST /v1/admin/fulfilments/{fulfilment_id}/deliver",
    role=("admin", "operator"),
    idempotent=True,
    writes=[orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, audit],
    emits=SAID,
)
async def deliver_fulfilment(request: DeliverFulfilment, work: Work) -> FulfilmentView:
    """What has arrived stays so: again is no fault. Raises UnknownFulfilment; FulfilmentHasMoved."""
    if request.at is not None and request.at > work.now:
        raise ValidationFailed(errors=[{"pointer": "/at", "detail": "This is in the future."}])
    locked, order, one = await lock_fulfilment(work, request.fulfilment_id)
    if one.status is not DELIVERED:
        if not one.can("arrived"):
            raise FulfilmentHasMoved(fulfilment_id=one.id, status_now=one.status)
        one.delivered_at = request.at or work.now
        locked.move(order, one, "arrived")
        await locked.save()
        await record(work, "fulfilment.delivered", order.id, fulfilment_id=str(one.id))
    return await read_fulfilment(work, one.id)
