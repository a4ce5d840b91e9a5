"""Take in goods that a customer has sent back, and pay for them if that was agreed (ORD-011)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.orders.asking import LineUnits, lock_order
from shared.orders.audit import record
from shared.orders.fulfilment_problems import NotSoMany, ReturnClosed
from shared.orders.fulfilment_tables import goods_return_lines, goods_returns
from shared.orders.goods_returns import GoodsReturnView, arrived, return_of, set_status
from shared.orders.paying_back import EMITS, WRITES, Location, note_come_back, restock
from shared.orders.refunding import refund
from shared.runtime import Request, Work, http
from shared.vocabulary import Minor


class ReceivedLine(LineUnits):
    """Damaged goods are not put on the shelf again."""

    condition: Literal["restock", "damaged"]


class ReceiveReturn(Request):
    """`amount_minor` is what is paid back for them, if not what they cost."""

    return_id: UUID
    location: Location
    lines: Annotated[list[ReceivedLine], Field(min_length=1, max_length=2_000)]
    amount_minor: Minor | None = None


@http(
    "POST /v1/admin/goods-returns/{return_id}/receipts",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    writes=[*WRITES, goods_returns, goods_return_lines],
    emits=EMITS,
)
async def receive_return(request: ReceiveReturn, work: Work) -> GoodsReturnView:
    """May be called for each parcel. Raises UnknownReturn; ReturnClosed; NotSoMany; OrderNotReady; MoreThanPaid."""
    locked, order = await lock_order(work, (await return_of(work, request.return_id)).order_id)
    view = await return_of(work, request.return_id)  # as it is now that nobody else receives
    if view.status != "authorized":
        raise ReturnClosed(return_id=view.id, status_now=view.status)
    units: dict[int, tuple[int, int]] = {}
    for line in request.lines:
        good, bad = units.get(line.line_no, (0, 0))
        more = (line.quantity, 0) if line.condition == "restock" else (0, line.quantity)
        units[line.line_no] = (good + more[0], bad + more[1])
    expected = {line.line_no: line for line in view.lines}
    left = {no: expected[no].missing if no in expected else 0 for no in units}
    if lacking := [
        {"line_no": no, "quantity": sum(n), "left": left[no]} for no, n in units.items() if sum(n) > left[no]
    ]:
        raise NotSoMany(order_id=order.id, lines=lacking)
    await arrived(work, view.id, units)
    if good_units := {no: good for no, (good, _) in units.items() if good}:
        restock(locked, order, good_units, request.location, view.reason)
    cost = sum(expected[no].cost(sum(n)) for no, n in units.items())
    amount = min(cost, order.refundable_minor) if request.amount_minor is None else request.amount_minor
    if view.refund == "on_receipt" and amount:
        await refund(locked, order, amount, source="return", reason=view.reason)
    if sum(sum(n) for n in units.values()) == sum(line.missing for line in view.lines):
        await set_status(work, view.id, "received")
        note_come_back(locked, order)
    await locked.save()
    count = sum(sum(n) for n in units.values())
    await record(work, "return.received", order.id, return_id=str(view.id), units=count, location=request.location)
    return await return_of(work, view.id)
