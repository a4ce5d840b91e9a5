"""A SKU with its levels at all locations, as a transaction that has locked them sees and changes them.

Locks are taken in one order by all: an order's hold or a transfer, then locations, then SKUs, then stock rows by
(sku, location). Who changes what is available of a SKU locks all of its rows, so that the sum over them is known. They
are read by a statement of its own, sent along behind the one that locks: a statement does not see rows that were added
while it waited. Who may add a row or changes a policy has first locked the SKU itself: a row that is being added cannot
be locked by others, nor can a SKU that has none yet. Before that, who brings goods to a location has locked it, shared
with others who do, so that nobody closes it meanwhile.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from sqlalchemy import text

from shared.inventory.events import StockStatus
from shared.runtime import Work
from shared.runtime.pipeline import Pending, Row

LOW_AT = 5
"""So few are low, where the item's policy does not say otherwise."""


@dataclass(slots=True)
class Level:
    """How much of a SKU is at one location. A lower `priority` is served first; equal ones by the location's id.

    What is not `open` is not available: the location is closed, or has withdrawn it. `ships_to` are countries, or None
    for all. `low_at` is the location's own threshold, if it has one, and `status` what it told last. `was_short` is the
    shortfall before.
    """

    sku: str
    location: str
    priority: int
    open: bool
    ships_to: list[str] | None
    on_hand: int
    held: int
    committed: int
    safety_stock: int
    backorder_limit: int
    low_at: int | None
    status: StockStatus
    was_short: int
    version: int

    @property
    def unsold(self) -> int:
        """What may be sold, less what is promised; below zero where more is promised than that."""
        return self.on_hand - self.held - self.committed - self.safety_stock

    @property
    def available(self) -> int:
        return max(0, self.unsold) if self.open else 0

    @property
    def promisable(self) -> int:
        """What is available, and what may be promised beyond it."""
        return max(0, self.unsold, self.unsold + self.backorder_limit) if self.open else 0

    @property
    def shortfall(self) -> int:
        """What is promised, not there, and beyond what may be back-ordered."""
        return max(0, self.held + self.committed - self.on_hand - self.backorder_limit)


@dataclass(slots=True)
class Item:
    """`status` is what was told last; the levels come in the order in which locations are served."""

    sku: str
    tracked: bool
    low_at: int
    status: StockStatus
    levels: list[Level] = field(default_factory=list)

    @property
    def available(self) -> int:
        """At all open locations: a shortfall at one takes nothing from the others."""
        return sum(level.available for level in self.levels)

    @property
    def promisable(self) -> int:
        return sum(level.promisable for level in self.levels)

    def at(self, location: str) -> Level | None:
        return next((level for level in self.levels if level.location == location), None)


def reading(skus: str) -> str:
    """SQL for what `items_of` takes: a row for each level of the SKUs in the query `skus`, distinct ones.

    A SKU that was never heard of is tracked, and there is nothing of it.
    """
    return f"""
select a.sku, coalesce(i.tracked, true) as tracked, coalesce(i.low_at, {LOW_AT}) as low_at,
  coalesce(i.status, 'out_of_stock') as status,
  s.sku as at_sku, s.location, l.priority, l.closed_at is null and not s.withdrawn as open, l.ships_to, s.on_hand,
  s.held, s.committed, s.safety_stock, s.backorder_limit, s.low_at as at_low_at, s.status as at_status,
  s.shortfall, s.version
from ({skus}) as a (sku)
left join inventory.items i on i.sku = a.sku
left join (inventory.stock s join inventory.locations l on l.id = s.location) on s.sku = a.sku
order by a.sku, l.priority, l.id
"""  # noqa: S608 - of constants


READ = text(reading("select unnest(cast(:skus as text[]))"))

LOCKS, LOCATION_LOCKS = 0x57C, 0x57D  # the classes of advisory locks

# Few keys for all SKUs: the server's table of locks has room for some thousands, and one file may bring as many SKUs.
LOCK_SKUS = text("""
select pg_advisory_xact_lock(:locks, key)
from (select distinct hashtext(sku) & 4095 as key from unnest(cast(:skus as text[])) as sku order by 1) as keys
""").bindparams(locks=LOCKS)

LOCK_LOCATIONS = text("""
select case when alone then pg_advisory_xact_lock(:locks, key) else pg_advisory_xact_lock_shared(:locks, key) end
from (
  select hashtext(id) as key, bool_or(id = :alone) as alone
  from unnest(cast(:locations as text[])) as id group by 1 order by 1
) as keys
""").bindparams(locks=LOCATION_LOCKS)

ENSURE_ITEMS = text("""
insert into inventory.items (sku, tracked, updated_at)
select sku, true, :now from unnest(cast(:skus as text[])) as sku order by sku
on conflict (sku) do nothing
""")

ENSURE_LEVELS = text("""
insert into inventory.stock (sku, location)
select a.sku, l.id
from unnest(cast(:skus as text[]), cast(:locations as text[])) as a (sku, location)
join inventory.locations l on l.id = a.location and l.closed_at is null
order by 1, 2
on conflict (sku, location) do nothing
""")

LOCK_ROWS = text("""
select from inventory.stock where sku = any(cast(:skus as text[])) order by sku, location for update
""")

Items = dict[str, Item]


def read_items(work: Work, skus: Sequence[str]) -> Pending:
    """Sends the query whose rows `items_of` takes; `skus` are distinct."""
    return work.db.enqueue(READ, skus=list(skus))


def items_of(rows: Sequence[Row]) -> Items:
    items: Items = {}
    for sku, group in groupby(rows, key=itemgetter(0)):
        found = list(group)
        item = items[sku] = Item(*found[0][:4])
        item.levels = [Level(*row[4:]) for row in found if row[4] is not None]
    return items


async def lock_locations(work: Work, locations: Collection[str], *, alone: str = "") -> None:
    """While this transaction lasts nobody closes or opens them, and nobody brings goods to the one that is `alone`."""
    await work.db.send(LOCK_LOCATIONS, locations=sorted(set(locations)), alone=alone)


async def lock_items(work: Work, skus: Collection[str], levels: Collection[tuple[str, str]] = ()) -> Items:
    """Locks SKUs with all of their stock; of `levels` (SKU, location) those at open locations are made at need.

    Distinct SKUs come in the order of their codes.
    """
    ordered = sorted(set(skus))
    if levels:
        await lock_locations(work, {location for _, location in levels})
    await work.db.send(LOCK_SKUS, skus=ordered)
    await work.db.send(ENSURE_ITEMS, skus=ordered, now=work.now)
    if levels:
        made = sorted(set(levels))
        await work.db.send(ENSURE_LEVELS, skus=[sku for sku, _ in made], locations=[at for _, at in made])
    await work.db.send(LOCK_ROWS, skus=ordered)
    return items_of(await read_items(work, ordered).all())
