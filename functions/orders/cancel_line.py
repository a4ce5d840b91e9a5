"""Cancel units of an order's line before they are shipped (ORD-007)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.asking import check_stands, lock_order
from shared.orders.audit import record
from shared.orders.cancelling import EMITS, WRITES
from shared.orders.fulfilment import PENDING
from shared.orders.fulfilment_problems import NotSoMany
from shared.orders.fulfilment_views import OrderFulfilment, read_order_fulfilment
from shared.orders.parting import cancel, choose
from shared.runtime import Request, Work, http
from shared.vocabulary import Line, Quantity


class CancelLine(Request):
    """Without a quantity all of the line that is not shipped."""

    order_id: UUID
    line_no: Annotated[int, Field(ge=1, le=100_000)]
    quantity: Quantity | None = None
    reason: Annotated[Line, Field(examples=["ordered one too many"])]


async def given_back(view: OrderFulfilment, work: Work, last: bool) -> OrderFulfilment | None:
    now = await read_order_fulfilment(work, view.order_id)
    asked = any(line.cancelling for one in now.fulfilments for line in one.lines)
    return now if last or (not asked and now.status != "cancelling") else None


@http(
    "POST /v1/orders/{order_id}/lines/{line_no}/cancel",
    status=202,
    role=("customer", "admin", "operator"),
    idempotent=True,
    wait=given_back,
    writes=WRITES,
    emits=EMITS,
)
async def cancel_line(request: CancelLine, work: Work) -> OrderFulfilment:
    """What inventory gives back of it is refunded, or voided. An order of which nothing is left is cancelled.

    Raises UnknownOrder, also for somebody else's; OrderNotReady; NotSoMany.
    """
    locked, order = await lock_order(work, request.order_id)
    check_stands(order)
    pending = [one for one in order.fulfilments.values() if one.status is PENDING]
    # What is not tracked needs nobody's leave; for the rest the last fulfilments are the least likely to be packed.
    pending.sort(key=lambda one: (one.location is None, one.created_at, one.id), reverse=True)
    quantity = request.quantity
    if quantity is None:
        quantity = sum(one.parts[request.line_no].open for one in pending if request.line_no in one.parts)
        line = order.lines.get(request.line_no)
        quantity -= min(quantity, line.paid_back_unshipped) if line else 0
    if quantity == 0:
        raise NotSoMany(order_id=order.id, lines=[{"line_no": request.line_no, "quantity": 1, "left": 0}])
    chosen = choose(order, {request.line_no: quantity}, pending)
    await cancel(locked, order, chosen, source="cancellation", reason=request.reason)
    await locked.save()
    if order.at.customer_id != work.caller.subject:
        await record(
            work, "line.cancelled", order.id, reason=request.reason, line_no=request.line_no, quantity=quantity
        )
    return await read_order_fulfilment(work, order.id)
