"""Goods that customers send back: so many are expected, so many came, in which condition."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from shared.orders.fulfilment_problems import UnknownReturn
from shared.runtime import View, Work
from shared.runtime.pipeline import Row

Refunded = Literal["before", "on_receipt", "none"]
"""When the money goes back: at once, with what arrives, or not by the return."""


class GoodsReturnLine(BaseModel):
    """`amount_minor` is what the quantity cost; what is neither restocked nor damaged has not arrived."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    quantity: int
    restocked: int
    damaged: int
    amount_minor: int

    @property
    def missing(self) -> int:
        return self.quantity - self.restocked - self.damaged

    def cost(self, units: int) -> int:
        """Of the next so many units to arrive: all together cost the whole, to the penny."""
        came = self.quantity - self.missing
        return self.amount_minor * (came + units) // self.quantity - self.amount_minor * came // self.quantity


class GoodsReturnView(View):
    id: UUID
    order_id: UUID
    status: Literal["authorized", "received", "closed"]
    refund: Refunded
    reason: str
    lines: list[GoodsReturnLine]
    created_at: datetime
    updated_at: datetime


RETURN = """
select r.id, r.order_id, r.status, r.refund, r.reason, r.created_at, r.updated_at, l.lines
from orders.goods_returns r
cross join lateral (
  select jsonb_agg(jsonb_build_object('line_no', g.line_no, 'sku', o.sku, 'quantity', g.quantity,
    'restocked', g.restocked, 'damaged', g.damaged, 'amount_minor', g.amount_minor) order by g.line_no) as lines
  from orders.goods_return_lines g
  join orders.order_lines o on o.order_id = g.order_id and o.line_no = g.line_no
  where g.return_id = r.id
) l
"""
ONE = text(f"{RETURN} where r.id = :id")

KEEP = text("""
with kept as (
  insert into orders.goods_returns (id, order_id, status, refund, reason, created_at, updated_at)
  values (:id, :order_id, 'authorized', :refund, :reason, :now, :now)
)
insert into orders.goods_return_lines (return_id, order_id, line_no, quantity, amount_minor)
select :id, :order_id, line_no, quantity, amount_minor
from unnest(cast(:line_nos as int[]), cast(:quantities as int[]), cast(:amounts as bigint[]))
  as n (line_no, quantity, amount_minor)
""")

ARRIVED = text("""
update orders.goods_return_lines l
set restocked = l.restocked + n.restocked, damaged = l.damaged + n.damaged
from unnest(cast(:line_nos as int[]), cast(:restocked as int[]), cast(:damaged as int[]))
  as n (line_no, restocked, damaged)
where l.return_id = :id and l.line_no = n.line_no
""")

SET_STATUS = text("update orders.goods_returns set status = :status, updated_at = :now where id = :id")


async def keep(
    work: Work, order_id: UUID, units: Mapping[int, tuple[int, int]], *, refund: Refunded, reason: str
) -> UUID:
    """`units` is the quantity and what it cost, by line."""
    id = work.new_id()
    await work.db.send(
        KEEP,
        id=id,
        order_id=order_id,
        refund=refund,
        reason=reason,
        now=work.now,
        line_nos=list(units),
        quantities=[quantity for quantity, _ in units.values()],
        amounts=[amount for _, amount in units.values()],
    )
    return id


async def return_of(work: Work, id: UUID) -> GoodsReturnView:
    """Raises UnknownReturn."""
    row: Row | None = await work.db.one(ONE, id=id)
    if row is None:
        raise UnknownReturn(return_id=id)
    return GoodsReturnView.model_validate(row._asdict())


async def arrived(work: Work, id: UUID, units: Mapping[int, tuple[int, int]]) -> None:
    """`units` is how many may be sold again and how many may not, by line."""
    await work.db.send(
        ARRIVED,
        id=id,
        line_nos=list(units),
        restocked=[restocked for restocked, _ in units.values()],
        damaged=[damaged for _, damaged in units.values()],
    )


async def set_status(work: Work, id: UUID, status: str) -> None:
    await work.db.send(SET_STATUS, id=id, status=status, now=work.now)
