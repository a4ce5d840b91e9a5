"""An order's hold on stock, and the only place where stock of several SKUs is locked.

Locks are taken in one order by all: the hold's row, then stock rows by (sku, location). Who changes what is available
of a SKU locks all of its rows, so that the sum over them is known. It is taken by a statement of its own, sent along
behind the one that locks: a statement does not see rows that were added while it waited.

An order has one hold, ever. Its row outlives it, so that a command that comes again, or too late, finds out how the
hold ended.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from shared.inventory.allocation import Level, Taken
from shared.inventory.queries import STANDINGS, standings
from shared.inventory.status import Standing, tell
from shared.runtime import Work


class Status(StrEnum):
    HELD = "HELD"
    REJECTED = "REJECTED"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class Hold(NamedTuple):
    status: Status
    expires_at: datetime
    shortages: dict[str, int] | None


class Offer(NamedTuple):
    """What the locations have of the SKUs asked for, locked until the transaction ends."""

    levels: list[Level]
    standings: dict[str, Standing]


class Return(NamedTuple):
    """What becomes available of a SKU when holds are given back: nothing, where that only mends a shortfall."""

    before: Standing
    gained: int


# `exists` is worked out once and before the first row: no stock is locked for an order that has a hold already. Only
# what is locked is offered: to take from a row that was added meanwhile would be to lock it out of order.
OPEN = text("""
with opened as (
  insert into inventory.holds (order_id, status, expires_at, created_at, updated_at)
  values (:order_id, 'HELD', :expires_at, :now, :now)
  on conflict (order_id) do nothing
  returning order_id
), locked as materialized (
  select sku, location, on_hand - held - committed as available
  from inventory.stock
  where sku = any(cast(:skus as text[])) and exists (select from opened)
  order by sku, location
  for update
)
select exists (select from opened) as opened, s.sku, s.location, l.priority, s.available
from (select) as one
left join (locked s join inventory.locations l on l.id = s.location and l.closed_at is null) on true
""")

TAKE = text("""
with taken as (
  select * from unnest(cast(:skus as text[]), cast(:locations as text[]), cast(:quantities as bigint[]))
    as t (sku, location, quantity)
), kept as (
  insert into inventory.hold_lines (order_id, sku, location, quantity)
  select :order_id, sku, location, quantity from taken
)
update inventory.stock s
set held = s.held + t.quantity, version = s.version + 1
from taken t
where s.sku = t.sku and s.location = t.location
""")

REJECT = text("""
update inventory.holds set status = 'REJECTED', shortages = cast(:shortages as jsonb) where order_id = :order_id
""")

HOLD = text("select status, expires_at, shortages from inventory.holds where order_id = :order_id for update")

LOCK_LINES = text("""
select from inventory.stock
where sku = any(array(select sku from inventory.hold_lines where order_id = any(cast(:orders as uuid[]))))
order by sku, location
for update
""")

RETURNS = text(f"""
with lines as (
  select sku, location, sum(quantity)::bigint as quantity
  from inventory.hold_lines
  where order_id = any(cast(:orders as uuid[]))
  group by sku, location
), free as (
  select l.sku, l.quantity, s.on_hand - s.held - s.committed as quantity_free
  from lines l
  join inventory.stock s on s.sku = l.sku and s.location = l.location
  join inventory.locations o on o.id = l.location and o.closed_at is null
), gained as (
  select sku, sum(greatest(0, quantity_free + quantity) - greatest(0, quantity_free))::bigint as gained
  from free group by sku
)
select s.*, g.gained
from ({standings("array(select distinct sku from lines)")}) as s join gained g on g.sku = s.sku
order by s.sku
""")  # noqa: S608 - of constants

LINES = text("""
select sku, location, quantity from inventory.hold_lines where order_id = :order_id order by sku, location
""")

REMEMBER_RELEASED = text("""
insert into inventory.holds (order_id, status, expires_at, created_at, updated_at)
values (:order_id, 'RELEASED', :now, :now, :now)
on conflict (order_id) do nothing
returning true
""")

DUE = text("""
select order_id from inventory.holds
where status = 'HELD' and expires_at <= :now
order by expires_at
limit :count
for update skip locked
""")


def _moving(which: str, changes: str, promised: str) -> TextClause:
    """Moves holds whose rows are locked to another status.

    `changes` is what becomes of a stock row, `promised` what is held and committed of it then. A lateral look-up locks
    row by row in the order of the lines, whatever the planner thinks of their number.
    """
    return text(f"""
with lines as (
  select sku, location, sum(quantity)::bigint as quantity
  from inventory.hold_lines
  where {which}
  group by sku, location
  order by sku, location
), locked as materialized (
  select lines.*
  from lines
  cross join lateral (
    select from inventory.stock s where s.sku = lines.sku and s.location = lines.location for update
  ) as row
), moved as (
  update inventory.stock s
  set {changes}, shortfall = greatest(0, {promised} - s.on_hand), version = s.version + 1
  from locked l
  where s.sku = l.sku and s.location = l.location
)
update inventory.holds set status = :status, updated_at = :now where {which}
""")  # noqa: S608 - all parts are constants below


ONE = "order_id = :order_id"
MANY = "order_id = any(cast(:orders as uuid[]))"
LESS = "s.held + s.committed - l.quantity"

COMMIT = _moving(ONE, "held = s.held - l.quantity, committed = s.committed + l.quantity", "s.held + s.committed")
RELEASE = {
    Status.HELD: _moving(ONE, "held = s.held - l.quantity", LESS),
    Status.COMMITTED: _moving(ONE, "committed = s.committed - l.quantity", LESS),
}
EXPIRE = _moving(MANY, "held = s.held - l.quantity", LESS)


async def open_hold(work: Work, order_id: UUID, skus: Sequence[str], expires_at: datetime) -> Offer | None:
    """Makes the order's hold and locks the stock of `skus`; None when the order has a hold already."""
    opened = work.db.enqueue(OPEN, order_id=order_id, skus=skus, expires_at=expires_at, now=work.now)
    sums = await work.db.all(STANDINGS, skus=skus)
    rows = await opened.all()
    if not rows[0].opened:
        return None
    levels = [Level(row.sku, row.location, row.priority, row.available) for row in rows if row.sku is not None]
    return Offer(levels, {row.sku: Standing(*row) for row in sums})


async def take(work: Work, order_id: UUID, taken: Sequence[Taken]) -> None:
    skus, locations, quantities = zip(*taken, strict=True)
    await work.db.send(TAKE, order_id=order_id, skus=list(skus), locations=list(locations), quantities=list(quantities))


async def reject(work: Work, order_id: UUID, shortages: dict[str, int]) -> None:
    await work.db.send(REJECT, order_id=order_id, shortages=orjson.dumps(shortages).decode())


async def lock_hold(work: Work, order_id: UUID) -> Hold | None:
    row = await work.db.one(HOLD, order_id=order_id)
    return row and Hold(Status(row.status), row.expires_at, row.shortages)


async def lock_hold_and_stock(work: Work, order_id: UUID) -> tuple[Hold | None, list[Return]]:
    """With all stock of what the hold has, or had: it may be given back."""
    hold = work.db.enqueue(HOLD, order_id=order_id)
    returns = await _lock_stock_of(work, [order_id])
    row = await hold.one()
    return row and Hold(Status(row.status), row.expires_at, row.shortages), returns


async def _lock_stock_of(work: Work, orders: Sequence[UUID]) -> list[Return]:
    await work.db.send(LOCK_LINES, orders=orders)
    rows = await work.db.all(RETURNS, orders=orders)
    return [Return(Standing(row.sku, row.tracked, row.low_at, row.available), row.gained) for row in rows]


def _tell(work: Work, returns: Iterable[Return]) -> None:
    for before, gained in returns:
        tell(work, before, before.plus(gained))


async def lines_of(work: Work, order_id: UUID) -> list[Any]:
    return await work.db.all(LINES, order_id=order_id)


async def lock_due(work: Work, count: int) -> list[UUID]:
    """Held longer than they may; those that somebody else is busy with are left out."""
    return [row.order_id for row in await work.db.all(DUE, now=work.now, count=count)]


async def commit(work: Work, order_id: UUID) -> None:
    """The hold is locked, and HELD."""
    await work.db.send(COMMIT, order_id=order_id, status=Status.COMMITTED, now=work.now)


async def release(work: Work, order_id: UUID, was: Status, returns: Iterable[Return]) -> None:
    """The hold is locked with its stock, and `was`: HELD or COMMITTED."""
    await work.db.send(RELEASE[was], order_id=order_id, status=Status.RELEASED, now=work.now)
    _tell(work, returns)


async def expire(work: Work, orders: Sequence[UUID]) -> None:
    """The holds are locked, and all HELD."""
    returns = await _lock_stock_of(work, orders)
    await work.db.send(EXPIRE, orders=orders, status=Status.EXPIRED, now=work.now)
    _tell(work, returns)


async def remember_released(work: Work, order_id: UUID) -> bool:
    """False when the order has got a hold in the meantime."""
    return bool(await work.db.value(REMEMBER_RELEASED, order_id=order_id, now=work.now))
