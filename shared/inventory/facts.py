"""What the tables say of SKUs that must agree: counters, ledger, holds with their parts, and what was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import text

from shared.inventory.events import StockStatus
from shared.inventory.queries import UNSOLD, standings
from shared.runtime import Work
from shared.runtime.pipeline import Row

SKUS = text("""
(select sku from inventory.items where sku > :after order by sku limit :limit)
union
(select distinct sku from inventory.stock where sku > :after order by sku limit :limit)
union
(select distinct sku from inventory.hold_lines where sku > :after and released + shipped < quantity
 order by sku limit :limit)
order by 1 limit :limit
""")

# Entries are read in the order of their index. One that was accepted as it is, after a break, begins a new chain.
# Whether lines are closed too early is asked where counters say so: closed lines are in no index by SKU. It takes a
# walk over the live holds, and the barriers (offset 0) make it one for each wrong level, and none where all are right.
LEVELS = text(f"""
with lines as materialized (
  select l.sku, l.location, l.order_id, l.released, l.shipped, l.quantity - l.released - l.shipped as open,
    coalesce(h.status in ('HELD', 'COMMITTED'), false) as live, h.status
  from inventory.hold_lines l left join inventory.holds h using (order_id)
  where l.sku = any(cast(:skus as text[])) and l.released + l.shipped < l.quantity
), promised as (
  select sku, location, coalesce(sum(open) filter (where status = 'HELD'), 0)::bigint as held_by_lines,
    coalesce(sum(open) filter (where status = 'COMMITTED'), 0)::bigint as committed_by_lines,
    coalesce(sum(open) filter (where not live), 0)::bigint as ended,
    (array_agg(order_id order by order_id) filter (where not live))[1:10] as ended_orders,
    (array_agg(order_id order by order_id))[1:10] as orders
  from lines group by sku, location
), entered as (
  select s.sku, s.location, e.*
  from (select sku, location from inventory.stock where sku = any(cast(:skus as text[])) offset 0) s
  left join lateral (
    select m.entry, m.on_hand from inventory.mendings m
    where m.sku = s.sku and m.location = s.location and m.what = 'entries' order by m.id desc limit 1
  ) a on true
  cross join lateral (
    select coalesce(sum(delta), 0)::bigint as entered, max(id) as newest, max(recorded_at) as newest_at,
      count(*) filter (where id > coalesce(a.entry, 0) and on_hand <> before + delta) as broken
    from (
      select id, delta, on_hand, recorded_at,
        case when lag(id) over chain > coalesce(a.entry, 0) then lag(on_hand) over chain
          else coalesce(a.on_hand, 0) end as before
      from inventory.ledger where sku = s.sku and location = s.location
      window chain as (order by recorded_at, id)
    ) entries
  ) e
), facts as materialized (
  select sku, location, s.sku is not null as stocked, coalesce(s.on_hand, 0) as on_hand, coalesce(s.held, 0) as held,
    coalesce(s.committed, 0) as committed, coalesce(s.shortfall, 0) as shortfall,
    greatest(0, s.held + s.committed - s.on_hand - s.backorder_limit) as shortfall_of_row,
    s.low_at, s.status,
    case when l.closed_at is null and not s.withdrawn then greatest(0, {UNSOLD}) else 0 end as available,
    case when l.closed_at is null and not s.withdrawn then greatest(0, {UNSOLD} + s.backorder_limit) else 0 end
      as promisable,
    coalesce(e.entered, 0) as entered, coalesce(e.newest, 0) as newest,
    coalesce(e.newest_at > s.changed_at, false) as entered_alone, coalesce(e.broken, 0) as broken,
    coalesce(p.held_by_lines, 0) as held_by_lines, coalesce(p.committed_by_lines, 0) as committed_by_lines,
    coalesce(p.ended, 0) as ended, coalesce(p.ended_orders, '{{}}') as ended_orders,
    coalesce(p.orders, '{{}}') as orders
  from (
    inventory.stock s join inventory.locations l on l.id = s.location join entered e using (sku, location)
  ) full join promised p using (sku, location)
  where sku = any(cast(:skus as text[]))
), gone as (
  select sku, location, order_id, status, released, shipped from lines where live and released + shipped > 0
  union
  select w.sku, w.location, g.order_id, g.status, g.released, g.shipped
  from (
    select sku, location from facts
    where held <> held_by_lines or committed <> committed_by_lines offset 0
  ) w
  cross join lateral (
    select l.order_id, h.status, l.released, l.shipped
    from inventory.holds h
    join inventory.hold_lines l on l.order_id = h.order_id and l.sku = w.sku and l.location = w.location
    where h.status in ('HELD', 'COMMITTED') and l.released + l.shipped > 0 offset 0
  ) g
), beyond as (
  select g.sku, g.location, jsonb_agg(jsonb_build_object('order_id', g.order_id, 'status', g.status,
      'released', greatest(0, g.released - p.released), 'shipped', greatest(0, g.shipped - p.shipped))
    order by g.order_id) as beyond
  from gone g
  cross join lateral (
    select coalesce(sum(part.quantity) filter (where kind = 'released'), 0)::bigint as released,
      coalesce(sum(part.quantity) filter (where kind = 'shipped'), 0)::bigint as shipped
    from inventory.hold_parts h
    cross join jsonb_to_recordset(h.lines) as part (sku text, location text, quantity bigint)
    where h.order_id = g.order_id and part.sku = g.sku and part.location = g.location
  ) p
  where g.released > p.released or g.shipped > p.shipped
  group by g.sku, g.location
)
select f.*, coalesce(b.beyond, '[]') as beyond
from facts f left join beyond b using (sku, location)
order by sku, location
""")  # noqa: S608 - of constants

ITEMS = text(f"""
select s.*, i.sku is null as unknown
from ({standings("cast(:skus as text[])")}) s left join inventory.items i using (sku)
order by sku
""")  # noqa: S608 - of constants


class Beyond(NamedTuple):
    """So much of a live hold's line is marked as gone, and no part says so."""

    order_id: UUID
    status: Literal["HELD", "COMMITTED"]
    released: int
    shipped: int

    @property
    def gone(self) -> int:
        return self.released + self.shipped


@dataclass(frozen=True, slots=True)
class Facts:
    """Of a SKU at a location, where a row of it is `stocked`; else all counters are 0.

    `entered` is the sum of the ledger's entries, `newest` the last one, and `broken` how many do not lead on from the
    one before. An entry that was `entered_alone` is newer than what the row says. `shortfall_of_row` follows from the
    row's counters. Of ended holds' lines `ended` is open.
    """

    sku: str
    location: str
    stocked: bool
    on_hand: int
    held: int
    committed: int
    shortfall: int
    shortfall_of_row: int
    low_at: int | None
    status: StockStatus
    available: int
    promisable: int
    entered: int
    newest: int
    entered_alone: bool
    broken: int
    held_by_lines: int
    committed_by_lines: int
    ended: int
    ended_orders: list[UUID]
    orders: list[UUID]
    beyond: list[Beyond]

    @property
    def key(self) -> tuple[str, str]:
        return self.sku, self.location

    @property
    def closed_too_early(self) -> bool:
        """Whether parts and counters agree that what is gone of lines is not."""
        return bool(self.beyond) and (
            self.held - self.held_by_lines == self._beyond("HELD")
            and self.committed - self.committed_by_lines == self._beyond("COMMITTED")
        )

    @property
    def held_by_holds(self) -> int:
        return self.held_by_lines + (self._beyond("HELD") if self.closed_too_early else 0)

    @property
    def committed_by_holds(self) -> int:
        return self.committed_by_lines + (self._beyond("COMMITTED") if self.closed_too_early else 0)

    def _beyond(self, status: str) -> int:
        return sum(line.gone for line in self.beyond if line.status == status)


async def facts_of(work: Work, skus: Sequence[str]) -> tuple[list[Facts], list[Row]]:
    """By SKU and location, and a row for each SKU with its standing; `unknown` where the item is missing."""
    levels = work.db.enqueue(LEVELS, skus=skus)
    items = await work.db.all(ITEMS, skus=skus)
    facts = []
    for row in await levels.all():
        beyond = [Beyond(UUID(one["order_id"]), one["status"], one["released"], one["shipped"]) for one in row.beyond]
        facts.append(Facts(**{**row._asdict(), "beyond": beyond}))
    return facts, items
