"""Let a customer send goods back that were shipped (ORD-011)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.asking import Lines, check_stands, lock_order, summed
from shared.orders.audit import record
from shared.orders.fulfilment_tables import goods_return_lines, goods_returns
from shared.orders.goods_returns import GoodsReturnView, Refunded, keep, return_of
from shared.orders.paying_back import EMITS, WRITES
from shared.orders.refund_requests import check_returnable
from shared.orders.refunding import refund
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


class AuthorizeReturn(Request):
    """`refund` is when the money goes back: `before` anything arrives, `on_receipt` of what does, or `none`."""

    order_id: UUID
    lines: Lines
    refund: Refunded = "on_receipt"
    reason: Annotated[Line, Field(examples=["does not fit"])]


@http(
    "POST /v1/admin/orders/{order_id}/returns",
    status=201,
    role=("admin", "operator"),
    idempotent=True,
    writes=[*WRITES, goods_returns, goods_return_lines],
    emits=EMITS,
)
async def authorize_return(request: AuthorizeReturn, work: Work) -> GoodsReturnView:
    """No more than has left and has not come back. Raises UnknownOrder; OrderNotReady; NotSoMany; MoreThanPaid."""
    locked, order = await lock_order(work, request.order_id)
    check_stands(order)
    lines = summed(request.lines)
    check_returnable(order, lines)
    units = {no: (n, order.lines[no].share(n, order.lines[no].returned)) for no, n in sorted(lines.items())}
    for no, (quantity, _) in units.items():
        order.lines[no].returned += quantity
    locked.touch(order)
    return_id = await keep(work, order.id, units, refund=request.refund, reason=request.reason)
    amount = min(sum(cost for _, cost in units.values()), order.refundable_minor)
    if request.refund == "before" and amount:
        await refund(locked, order, amount, source="return", reason=request.reason)
    await locked.save()
    await record(work, "return.authorized", order.id, reason=request.reason, return_id=str(return_id))
    return await return_of(work, return_id)
