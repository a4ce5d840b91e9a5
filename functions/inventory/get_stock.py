"""Show how much there is of a SKU, in all and by location."""

from sqlalchemy import text

from shared.inventory.events import StockStatus
from shared.inventory.problems import UnknownItem
from shared.inventory.status import LOW_AT, status_of
from shared.inventory.tables import items, locations, stock
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Sku

LEVELS = text(f"""
select coalesce(i.tracked, true) as tracked, coalesce(i.low_at, {LOW_AT}) as low_at,
  s.location, s.on_hand, s.held, s.committed, s.shortfall,
  case when l.closed_at is null then greatest(0, s.on_hand - s.held - s.committed) else 0 end as available
from (values (:sku)) as asked (sku)
left join inventory.items i on i.sku = asked.sku
left join inventory.stock s on s.sku = asked.sku
left join inventory.locations l on l.id = s.location
where i.sku is not null or s.sku is not null
order by l.priority, l.id
""")  # noqa: S608 - of constants


class GetStock(Request):
    sku: Sku


class Counts(View):
    """`available` can be held: at a closed location nothing can. `shortfall` is what is promised and not there."""

    on_hand: int
    held: int
    committed: int
    available: int
    shortfall: int


class CountsAt(Counts):
    location: str


class Stock(Counts):
    """All locations together, and each, in the order in which they are served.

    An untracked SKU can always be held. A tracked one is low when no more than `low_at` are available.
    """

    sku: str
    tracked: bool
    status: StockStatus
    low_at: int
    locations: list[CountsAt]


@http("GET /v1/stock/{sku}", role=("service", "admin"), reads=[items, stock, locations])
async def get_stock(request: GetStock, work: Work) -> Stock:
    """Raises UnknownItem."""
    rows = await work.db.all(LEVELS, sku=request.sku)
    if not rows:
        raise UnknownItem(sku=request.sku)
    levels = [CountsAt.model_validate(row, from_attributes=True) for row in rows if row.location is not None]
    totals = {name: sum(getattr(level, name) for level in levels) for name in Counts.model_fields}
    tracked, low_at = rows[0].tracked, rows[0].low_at
    status = status_of(tracked=tracked, low_at=low_at, available=totals["available"])
    return Stock(**totals, sku=request.sku, tracked=tracked, status=status, low_at=low_at, locations=levels)
