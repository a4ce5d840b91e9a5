"""How holds begin: those of several orders in one transaction, each allocated on what the ones before have left."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.inventory.allocation import Taken
from shared.inventory.events import AllocationRule
from shared.inventory.holds import Hold, Status, lock_holds
from shared.inventory.items import Items, Level, items_of, read_items
from shared.inventory.metrics import LOCK_WAIT
from shared.inventory.status import tell
from shared.runtime import Work


class Opened(NamedTuple):
    """`orders` have got their hold now, `known` had one, which is locked.

    Of the SKUs asked for the stock is locked until the transaction ends; `levels` are those that can be taken from.
    """

    orders: set[UUID]
    known: dict[UUID, Hold]
    items: Items
    levels: list[Level]
    rule: AllocationRule


# Worked out once and before the first row of stock: none is locked here if some order has a hold already.
OPEN = text("""
with opened as (
  insert into inventory.holds (order_id, status, expires_at, created_at, updated_at)
  select order_id, 'HELD', expires_at, :now, :now
  from unnest(cast(:orders as uuid[]), cast(:expiries as timestamptz[])) as asked (order_id, expires_at)
  order by order_id
  on conflict (order_id) do nothing
  returning order_id
), locked as materialized (
  select sku, location
  from inventory.stock
  where sku = any(cast(:skus as text[])) and (select count(*) from opened) = cardinality(cast(:orders as uuid[]))
  order by sku, location
  for update
)
select (select array_agg(order_id) from opened) as orders,
  array_agg(sku) as skus, array_agg(location) as locations, (select allocation from inventory.policy) as rule,
  extract(epoch from clock_timestamp() - statement_timestamp())::float8 as waited_s
from locked
""")

LOCK = text("""
with locked as materialized (
  select sku, location from inventory.stock where sku = any(cast(:skus as text[])) order by sku, location for update
)
select array_agg(sku) as skus, array_agg(location) as locations,
  extract(epoch from clock_timestamp() - statement_timestamp())::float8 as waited_s
from locked
""")

TAKE = text("""
with taken as (
  select * from unnest(
    cast(:orders as uuid[]), cast(:skus as text[]), cast(:locations as text[]), cast(:quantities as bigint[]),
    cast(:backordered as bigint[])
  ) as t (order_id, sku, location, quantity, backordered)
), kept as (
  insert into inventory.hold_lines (order_id, sku, location, quantity, backordered)
  select order_id, sku, location, quantity, backordered from taken
)
update inventory.stock s
set held = s.held + t.quantity, version = s.version + 1
from (select sku, location, sum(quantity)::bigint as quantity from taken group by sku, location) t
where s.sku = t.sku and s.location = t.location
""")

LACK = text("""
update inventory.holds h set status = l.status, shortages = cast(l.shortages as jsonb)
from unnest(cast(:orders as uuid[]), cast(:statuses as text[]), cast(:shortages as text[]))
  as l (order_id, status, shortages)
where h.order_id = l.order_id
""")


async def open_holds(work: Work, expiries: Mapping[UUID, datetime], skus: Sequence[str]) -> Opened:
    """Makes the orders' holds and locks the stock of `skus`, distinct ones.

    Only levels that are locked are offered: to take from a row that was added meanwhile would be to lock it out of
    order.
    """
    orders = list(expiries)
    opening = work.db.enqueue(OPEN, orders=orders, expiries=list(expiries.values()), skus=skus, now=work.now)
    reading = read_items(work, skus)
    found = await opening.one()
    assert found is not None, "it counts"
    opened, known = set(found.orders or ()), {}
    rows, rule = await reading.all(), found.rule
    if len(opened) < len(orders):
        known = await lock_holds(work, set(orders) - opened)
        if opened:
            locking = work.db.enqueue(LOCK, skus=skus)
            rows = await read_items(work, skus).all()
            found = await locking.one()
            assert found is not None, "it counts"
    LOCK_WAIT.observe(found.waited_s)
    locked = set(zip(found.skus or (), found.locations or (), strict=True))
    items = items_of(rows)
    levels = [level for item in items.values() for level in item.levels if (level.sku, level.location) in locked]
    return Opened(opened, known, items, levels, rule)


async def take(work: Work, items: Items, taken: Mapping[UUID, Sequence[Taken]]) -> None:
    """What is `taken` of the items, which are locked and know it already."""
    lines = [(order, one) for order, all_of_it in taken.items() for one in all_of_it]
    if not lines:
        return
    await work.db.send(
        TAKE,
        orders=[order for order, _ in lines],
        skus=[one.sku for _, one in lines],
        locations=[one.location for _, one in lines],
        quantities=[one.quantity for _, one in lines],
        backordered=[one.backordered for _, one in lines],
    )
    await tell(work, [items[sku] for sku in dict.fromkeys(one.sku for _, one in lines)])


async def lack(work: Work, lacking: Mapping[UUID, tuple[Status, dict[str, int]]]) -> None:
    """What orders could not have: all of it if they are rejected, the rest if they hold what was possible."""
    if lacking:
        await work.db.send(
            LACK,
            orders=list(lacking),
            statuses=[status for status, _ in lacking.values()],
            shortages=[orjson.dumps(shortages).decode() for _, shortages in lacking.values()],
        )
