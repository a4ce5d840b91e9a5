"""List what is promised and not there, with the orders that must wait for it (INV-005)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from shared.inventory.levels import LocationId
from shared.inventory.queries import promises
from shared.inventory.tables import hold_lines, holds, stock
from shared.runtime import Page, Paged, View, Work, http, key_of

PAGE = text(f"""
select s.*, coalesce(p.orders, 0) as orders, p.first
from (
  select sku, location, shortfall, short_since, on_hand, held, committed, backorder_limit from inventory.stock
  where shortfall > 0 and (sku, location) > (:sku, :after) and location = coalesce(cast(:location as text), location)
  order by sku, location limit :count
) s
cross join lateral (
  select count(*) as orders, jsonb_agg(jsonb_build_object('order_id', order_id, 'status', status, 'quantity', open,
    'short', least(open, promised - s.on_hand - s.backorder_limit), 'since', created_at) order by n)
    filter (where n <= :shown) as first
  from (
    select *, row_number() over (order by promised desc) as n
    from ({promises("s.sku", "s.location")}) promises
    where promised > s.on_hand + s.backorder_limit
  ) waiting
) p
order by s.sku, s.location
""")  # noqa: S608 - of constants

SHOWN = 20
"""So many orders are named at each; all are counted."""


class ListShortfalls(Paged):
    location: LocationId | None = None


class Waiting(View):
    """Of the units promised to the order, `short` are not there and beyond what may be back-ordered."""

    order_id: UUID
    status: Literal["HELD", "COMMITTED"]
    quantity: int
    short: int
    since: datetime


class Shortfall(View):
    """`orders` must wait; `waiting` are the first 20 of them: unpaid before paid, and of these the newest."""

    sku: str
    location: str
    shortfall: int
    since: datetime
    on_hand: int
    held: int
    committed: int
    backorder_limit: int
    orders: int
    waiting: list[Waiting]


@http("GET /v1/shortfalls", role=("admin", "operator"), reads=[stock, holds, hold_lines])
async def list_shortfalls(request: ListShortfalls, work: Work) -> Page[Shortfall]:
    """By SKU and location. What waits as a back-order within its limit is no shortfall."""
    sku, after = key_of(request.cursor, str, str) or ("", "")
    bound = {"sku": sku, "after": after, "location": request.location}
    rows = await work.db.all(PAGE, **bound, count=request.limit + 1, shown=SHOWN)
    found = [
        Shortfall(
            sku=row.sku,
            location=row.location,
            shortfall=row.shortfall,
            since=row.short_since,
            on_hand=row.on_hand,
            held=row.held,
            committed=row.committed,
            backorder_limit=row.backorder_limit,
            orders=row.orders,
            waiting=[Waiting(**one) for one in row.first or ()],
        )
        for row in rows[: request.limit]
    ]
    return Page(found, (found[-1].sku, found[-1].location) if len(rows) > request.limit else None)
