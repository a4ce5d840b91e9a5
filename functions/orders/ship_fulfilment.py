"""Ship a fulfilment, whole or in part, by a carrier (ORD-005, ORD-006)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.inventory.events import ShipHold
from shared.orders.asking import Lines, check_may_leave, lock_fulfilment, summed
from shared.orders.audit import record
from shared.orders.fulfilling import SAID
from shared.orders.fulfilment import SHIPPING
from shared.orders.fulfilment_problems import FulfilmentHasMoved, NotSoMany
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, steps
from shared.orders.fulfilment_views import FulfilmentView, read_fulfilment
from shared.orders.parting import choose, leave
from shared.orders.picking import lines_of, split_off
from shared.orders.steps import SHIP
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.payments.events import CapturePayment
from shared.runtime import Request, Work, http

Carrier = Annotated[str, Field(min_length=1, max_length=100, examples=["DHL"])]
Tracking = Annotated[str, Field(min_length=1, max_length=100, examples=["JD0002"])]
Url = Annotated[
    str, Field(max_length=500, pattern=r"^https?://[^\s\x00]+$", examples=["https://example.com/track/JD0002"])
]


class ShipFulfilment(Request):
    """With `lines` only these units leave now; the rest is a fulfilment of its own, still to be picked."""

    fulfilment_id: UUID
    carrier: Carrier | None = None
    tracking_number: Tracking | None = None
    tracking_url: Url | None = None
    lines: Lines | None = None


async def answered(view: FulfilmentView, work: Work, last: bool) -> FulfilmentView | None:
    now = await read_fulfilment(work, view.id)
    return now if last or now.status is not SHIPPING else None


@http(
    "POST /v1/admin/fulfilments/{fulfilment_id}/ship",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    wait=answered,
    writes=[orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, audit],
    emits=[ShipHold, CapturePayment, *SAID],
)
async def ship_fulfilment(request: ShipFulfilment, work: Work) -> FulfilmentView:
    """Inventory lets the goods leave, or says why not: then the fulfilment is pending again, with the reason.

    Raises UnknownFulfilment; FulfilmentHasMoved; OrderNotReady; UnderReview; NotSoMany.
    """
    locked, order, one = await lock_fulfilment(work, request.fulfilment_id)
    check_may_leave(order)
    if not one.can("asked"):
        raise FulfilmentHasMoved(fulfilment_id=one.id, status_now=one.status)
    if request.lines is not None:
        chosen = {each.line_no: each.units for each in choose(order, summed(request.lines), [one], to_leave=True)}
        split_off(locked, order, one, chosen)
    if not (lines := lines_of(order, one)):
        raise NotSoMany(order_id=order.id, lines=[])
    one.carrier, one.tracking_number, one.tracking_url = request.carrier, request.tracking_number, request.tracking_url
    if one.location is None:
        leave(locked, order, one, lines, None)
    else:
        locked.ask(order, SHIP, source="shipment", reason="shipped", id=one.id, lines=lines)
        locked.move(order, one, "asked")
    await locked.save()
    await record(work, "fulfilment.shipped", order.id, fulfilment_id=str(one.id), carrier=request.carrier)
    return await read_fulfilment(work, one.id)
