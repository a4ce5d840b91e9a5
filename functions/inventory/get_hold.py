"""Show an order's hold on stock, line by line, with the parts that were shipped or given back (INV-005)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from shared.inventory.events import AllocatedLine
from shared.inventory.holds import Status
from shared.inventory.problems import UnknownHold
from shared.inventory.tables import hold_lines, hold_parts, holds
from shared.runtime import Request, View, Work, http

HOLD = text("""
select h.status, h.created_at, h.updated_at, h.expires_at, h.shortages,
  (select coalesce(jsonb_agg(jsonb_build_object('sku', sku, 'location', location, 'quantity', quantity,
      'released', released, 'shipped', shipped, 'open', quantity - released - shipped) order by sku, location), '[]')
    from inventory.hold_lines l where l.order_id = h.order_id) as lines,
  (select coalesce(jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'lines', lines, 'at', at)
      order by at, id), '[]')
    from inventory.hold_parts p where p.order_id = h.order_id) as parts
from inventory.holds h where h.order_id = :order_id
""")


class GetHold(Request):
    order_id: UUID


class HeldLine(View):
    """What the order took of a SKU at a location; what was neither released nor shipped of it is open."""

    sku: str
    location: str
    quantity: int
    released: int
    shipped: int
    open: int


class HoldPart(View):
    """A shipment, what was given back of a hold that went on, or what came back; `id` is its command's key."""

    id: UUID
    kind: Literal["shipped", "released", "returned"]
    lines: list[AllocatedLine]
    at: datetime


class HoldView(View):
    """`shortages` is what the order could not have. Only a HELD one expires. SKUs that are not tracked have no line."""

    order_id: UUID
    status: Status
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    shortages: dict[str, int]
    lines: list[HeldLine]
    parts: list[HoldPart]


@http("GET /v1/holds/{order_id}", role=("admin", "operator"), reads=[holds, hold_lines, hold_parts])
async def get_hold(request: GetHold, work: Work) -> HoldView:
    """Raises UnknownHold."""
    row = await work.db.one(HOLD, order_id=request.order_id)
    if row is None:
        raise UnknownHold(order_id=request.order_id)
    return HoldView(
        order_id=request.order_id,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
        expires_at=row.expires_at if row.status == Status.HELD else None,
        shortages=row.shortages or {},
        lines=row.lines,
        parts=row.parts,
    )
