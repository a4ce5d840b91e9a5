"""Show how much there was of a SKU at a moment in the past, in all and by location (INV-004)."""

from datetime import datetime

from sqlalchemy import text

from shared.inventory.problems import UnknownItem
from shared.inventory.tables import items, ledger, locations, stock
from shared.runtime import Request, View, Work, http
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import Moment, Sku

LEVELS = text("""
select s.location, coalesce(e.on_hand, 0) as on_hand, e.id as entry, e.recorded_at, :as_of > now() as ahead
from inventory.items i
left join (inventory.stock s join inventory.locations l on l.id = s.location) on s.sku = i.sku
left join lateral (
  select on_hand, id, recorded_at from inventory.ledger
  where (sku, location, recorded_at) <= (s.sku, s.location, :as_of)
    and (sku, location, recorded_at) >= (s.sku, s.location, '-infinity')
  order by sku desc, location desc, recorded_at desc, id desc limit 1
) e on true
where i.sku = :sku
order by l.priority, l.id
""")


class GetPastStock(Request):
    sku: Sku
    as_of: Moment


class PastLevel(View):
    """`entry` is the ledger's newest by then, of `recorded_at`; before the first one there was nothing."""

    location: str
    on_hand: int
    entry: int | None
    recorded_at: datetime | None


class PastStock(View):
    """`on_hand` is that of all locations, in the order in which they are served now."""

    sku: str
    as_of: datetime
    on_hand: int
    locations: list[PastLevel]


@http("GET /v1/stock/{sku}/past", role=("service", "admin", "operator"), reads=[items, stock, locations, ledger])
async def get_past_stock(request: GetPastStock, work: Work) -> PastStock:
    """What the books said then: an entry counts from the moment on at which it was recorded, whenever goods had moved.

    What was held or committed then is not kept. A change that was under way at that moment, for some seconds at most,
    may still be entered for it.

    Raises UnknownItem, and ValidationFailed for the future.
    """
    rows = await work.db.all(LEVELS, sku=request.sku, as_of=request.as_of)
    if not rows:
        raise UnknownItem(sku=request.sku)
    if rows[0].ahead:
        raise ValidationFailed(errors=[{"pointer": "/as_of", "detail": "This is in the future."}])
    levels = [
        PastLevel(location=row.location, on_hand=row.on_hand, entry=row.entry, recorded_at=row.recorded_at)
        for row in rows
        if row.location is not None
    ]
    return PastStock(
        sku=request.sku, as_of=request.as_of, on_hand=sum(level.on_hand for level in levels), locations=levels
    )
