"""Expect nothing more of a return: what did not arrive counts as kept by the customer (ORD-011)."""

from uuid import UUID

from shared.orders.asking import lock_order
from shared.orders.audit import record
from shared.orders.fulfilling import SAID
from shared.orders.fulfilment_problems import ReturnClosed
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, goods_return_lines, goods_returns, steps
from shared.orders.goods_returns import GoodsReturnView, return_of, set_status
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


class CloseReturn(Request):
    return_id: UUID
    reason: Line


@http(
    "POST /v1/admin/goods-returns/{return_id}/close",
    role=("admin", "operator"),
    idempotent=True,
    reads=[goods_return_lines],
    writes=[orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, goods_returns, audit],
    emits=SAID,
)
async def close_return(request: CloseReturn, work: Work) -> GoodsReturnView:
    """What was paid back before stays so, and counts as returned. Raises UnknownReturn; ReturnClosed."""
    locked, order = await lock_order(work, (await return_of(work, request.return_id)).order_id)
    view = await return_of(work, request.return_id)
    if view.status != "authorized":
        raise ReturnClosed(return_id=view.id, status_now=view.status)
    if view.refund != "before":
        for line in view.lines:
            order.lines[line.line_no].returned -= line.missing
    locked.touch(order)
    await set_status(work, view.id, "closed")
    await locked.save()
    await record(work, "return.closed", order.id, reason=request.reason, return_id=str(view.id))
    return await return_of(work, view.id)
