"""The counts of a SKU as services and administrators see them: by location, and all together."""

from itertools import groupby
from operator import attrgetter

from sqlalchemy import text

from shared.inventory.events import StockStatus
from shared.inventory.items import LOW_AT
from shared.inventory.queries import UNSOLD
from shared.runtime import View, Work

# What is on its way counts at the location that it goes to, which may have no stock yet.
COUNTS = text(f"""
with coming as (
  select l.sku, t.destination as location, sum(l.quantity - l.arrived - l.lost - l.returned)::bigint as incoming
  from inventory.transfer_lines l join inventory.transfers t on t.id = l.transfer_id
  where l.sku = any(cast(:skus as text[])) and l.arrived + l.lost + l.returned < l.quantity
    and t.status = 'in_transit'
  group by 1, 2
), there as (
  select sku, location, s.on_hand, s.held, s.committed, s.safety_stock, s.backorder_limit, s.shortfall, s.withdrawn,
    c.incoming
  from (select * from inventory.stock where sku = any(cast(:skus as text[]))) s
  full join coming c using (sku, location)
)
select i.sku, i.tracked, coalesce(i.low_at, {LOW_AT}) as low_at, i.status,
  s.location, coalesce(s.on_hand, 0) as on_hand, coalesce(s.held, 0) as held, coalesce(s.committed, 0) as committed,
  coalesce(s.incoming, 0) as incoming, coalesce(s.safety_stock, 0) as safety_stock,
  coalesce(s.backorder_limit, 0) as backorder_limit, coalesce(s.shortfall, 0) as shortfall,
  case when l.closed_at is null and not s.withdrawn then coalesce(greatest(0, {UNSOLD}), 0) else 0 end as available
from inventory.items i
left join (there s join inventory.locations l on l.id = s.location) on s.sku = i.sku
where i.sku = any(cast(:skus as text[]))
order by i.sku, l.priority, l.id
""")  # noqa: S608 - of constants


class Counts(View):
    """`available` can be held: on hand less held, committed and safety stock; at a closed location nothing can.

    `incoming` is on its way. Up to `backorder_limit` may be promised beyond what is there; `shortfall` is what is
    promised beyond that.
    """

    on_hand: int
    held: int
    committed: int
    incoming: int
    safety_stock: int
    backorder_limit: int
    available: int
    shortfall: int


class CountsAt(Counts):
    location: str


class Stock(Counts):
    """All locations together, and each, in the order in which they are served.

    An untracked SKU can always be held. A tracked one is low when no more than `low_at` are available, and stays so
    until there are some more.
    """

    sku: str
    tracked: bool
    status: StockStatus
    low_at: int
    locations: list[CountsAt]


SUMMED = tuple(Counts.model_fields)


async def stock_of(work: Work, skus: list[str]) -> list[Stock]:
    """Of those of `skus` that the inventory has heard of, in the order of their codes."""
    found = []
    for sku, rows in groupby(await work.db.all(COUNTS, skus=skus), key=attrgetter("sku")):
        levels = list(rows)
        item = levels[0]
        locations = [
            CountsAt(location=row.location, **{name: getattr(row, name) for name in SUMMED})
            for row in levels
            if row.location is not None
        ]
        totals = {name: sum(getattr(at, name) for at in locations) for name in SUMMED}
        found.append(
            Stock(
                **totals,
                sku=sku,
                tracked=item.tracked,
                status=item.status,
                low_at=item.low_at,
                locations=locations,
            )
        )
    return found
