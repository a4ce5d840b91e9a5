"""Say that units of a fulfilment cannot be sent: they are taken off the order, and their money goes back (ORD-006)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.asking import Lines, check_stands, lock_fulfilment, summed
from shared.orders.audit import record
from shared.orders.cancelling import EMITS, WRITES
from shared.orders.fulfilment import PENDING
from shared.orders.fulfilment_metrics import SHORT_UNITS
from shared.orders.fulfilment_problems import FulfilmentHasMoved, NotSoMany
from shared.orders.fulfilment_views import FulfilmentView, read_fulfilment
from shared.orders.parting import cancel, choose
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


class ShortFulfilment(Request):
    """Without `lines` all that is open of it."""

    fulfilment_id: UUID
    reason: Annotated[Line, Field(examples=["broken on the shelf"])]
    lines: Lines | None = None


@http(
    "POST /v1/admin/fulfilments/{fulfilment_id}/short",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    writes=WRITES,
    emits=EMITS,
)
async def short_fulfilment(request: ShortFulfilment, work: Work) -> FulfilmentView:
    """Exactly the money of these units is refunded, or voided. An order of which nothing is left is cancelled.

    Raises UnknownFulfilment; FulfilmentHasMoved; OrderNotReady; NotSoMany.
    """
    locked, order, one = await lock_fulfilment(work, request.fulfilment_id)
    check_stands(order)
    if one.status is not PENDING:
        raise FulfilmentHasMoved(fulfilment_id=one.id, status_now=one.status)
    wanted = summed(request.lines) if request.lines else {no: part.open for no, part in one.parts.items() if part.open}
    if not (chosen := choose(order, wanted, [one])):
        raise NotSoMany(order_id=order.id, lines=[])
    await cancel(locked, order, chosen, source="shortage", reason=request.reason)
    await locked.save()
    units = sum(each.units for each in chosen)
    SHORT_UNITS.inc(units)
    await record(work, "fulfilment.short", order.id, reason=request.reason, fulfilment_id=str(one.id), units=units)
    return await read_fulfilment(work, one.id)
