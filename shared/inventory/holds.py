"""An order's hold on stock.

An order has one hold, ever. Its row outlives it, so that a command that comes again, or too late, finds out how the
hold ended. It is locked before the stock that it holds; as long as it is, nobody else changes its lines.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from shared.inventory.events import AllocatedLine
from shared.inventory.items import Items, items_of, reading
from shared.inventory.status import tell
from shared.runtime import Work


class Status(StrEnum):
    HELD = "HELD"
    REJECTED = "REJECTED"
    COMMITTED = "COMMITTED"
    SHIPPED = "SHIPPED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


LIVE = (Status.HELD, Status.COMMITTED)


class Hold(NamedTuple):
    """`shortages` is what it could not have: all of it if it was rejected, the rest if it was held in part."""

    status: Status
    expires_at: datetime
    shortages: dict[str, int] | None


class Line(NamedTuple):
    """What a hold took of a stock; what has been neither shipped nor released of it is `open`.

    `backordered` of the quantity was not there when it was promised.
    """

    order_id: UUID
    sku: str
    location: str
    quantity: int
    shipped: int
    open: int
    backordered: int


HOLDS = text("""
select order_id, status, expires_at, shortages from inventory.holds
where order_id = any(cast(:orders as uuid[]))
order by order_id
for update
""")

HOLD = text("select status, expires_at, shortages from inventory.holds where order_id = :order_id for update")

LINES = text("""
select order_id, sku, location, quantity, shipped, quantity - released - shipped as open, backordered
from inventory.hold_lines
where order_id = any(cast(:orders as uuid[]))
order by sku, location, order_id
""")

LOCK_STOCK = text("""
select from inventory.stock
where sku = any(array(select sku from inventory.hold_lines where order_id = any(cast(:orders as uuid[]))))
order by sku, location
for update
""")

READ_STOCK = text(
    reading("select distinct sku from inventory.hold_lines where order_id = any(cast(:orders as uuid[]))")
)

# A lateral look-up locks row by row in the order of the lines, whatever the planner thinks of their number.
COMMIT = text("""
with locked as materialized (
  select l.sku, l.location, l.open
  from (
    select sku, location, sum(quantity - released - shipped)::bigint as open
    from inventory.hold_lines where order_id = any(cast(:orders as uuid[])) and released + shipped < quantity
    group by sku, location
    order by sku, location
  ) l
  cross join lateral (
    select from inventory.stock s where s.sku = l.sku and s.location = l.location for update
  ) as row
), moved as (
  update inventory.stock s
  set held = s.held - l.open, committed = s.committed + l.open, version = s.version + 1
  from locked l
  where s.sku = l.sku and s.location = l.location
)
update inventory.holds set status = 'COMMITTED', updated_at = :now where order_id = any(cast(:orders as uuid[]))
""")

_GIVE_BACK = """
with given as (
  select * from unnest(
    cast(:orders as uuid[]), cast(:skus as text[]), cast(:locations as text[]), cast(:quantities as bigint[])
  ) as g (order_id, sku, location, quantity)
), kept as (
  update inventory.hold_lines l set released = l.released + g.quantity
  from given g
  where l.order_id = g.order_id and l.sku = g.sku and l.location = g.location
)
update inventory.stock s
set {counter} = s.{counter} - g.quantity, version = s.version + 1,
  shortfall = greatest(0, s.held + s.committed - g.quantity - s.on_hand - s.backorder_limit)
from (select sku, location, sum(quantity)::bigint as quantity from given group by sku, location) g
where s.sku = g.sku and s.location = g.location
"""

GIVE_BACK: dict[Status, TextClause] = {
    Status.HELD: text(_GIVE_BACK.format(counter="held")),
    Status.COMMITTED: text(_GIVE_BACK.format(counter="committed")),
}

SHIP_LINES = text("""
update inventory.hold_lines l set shipped = l.shipped + g.quantity
from unnest(cast(:skus as text[]), cast(:locations as text[]), cast(:quantities as bigint[]))
  as g (sku, location, quantity)
where l.order_id = :order_id and l.sku = g.sku and l.location = g.location
""")

END = text("""
update inventory.holds set status = :status, updated_at = :now where order_id = any(cast(:orders as uuid[]))
""")

EXTEND = text("""
update inventory.holds set expires_at = :expires_at, updated_at = :now where order_id = :order_id
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

KEEP_PART = text("""
insert into inventory.hold_parts (id, order_id, kind, lines, at)
values (:id, :order_id, :kind, cast(:lines as jsonb), :now)
""")

PART = text("select lines from inventory.hold_parts where order_id = :order_id and kind = :kind and id = :id")


async def lock_hold(work: Work, order_id: UUID) -> Hold | None:
    row = await work.db.one(HOLD, order_id=order_id)
    return row and Hold(Status(row.status), row.expires_at, row.shortages)


async def lock_holds(work: Work, orders: Collection[UUID]) -> dict[UUID, Hold]:
    """Those of the orders that have one."""
    rows = await work.db.all(HOLDS, orders=sorted(orders))
    return {row.order_id: Hold(Status(row.status), row.expires_at, row.shortages) for row in rows}


async def lines_of(work: Work, orders: Sequence[UUID]) -> list[Line]:
    return [Line(*row) for row in await work.db.all(LINES, orders=orders)]


async def lock_due(work: Work, count: int) -> list[UUID]:
    """Held longer than they may; those that somebody else is busy with are left out."""
    return [row.order_id for row in await work.db.all(DUE, now=work.now, count=count)]


async def lock_hold_and_stock(work: Work, order_id: UUID) -> tuple[Hold | None, Items, list[Line]]:
    """With all stock of the SKUs that the hold has, or had."""
    hold = work.db.enqueue(HOLD, order_id=order_id)
    items, lines = await _lock_stock_of(work, [order_id])
    row = await hold.one()
    return row and Hold(Status(row.status), row.expires_at, row.shortages), items, lines


async def _lock_stock_of(work: Work, orders: Sequence[UUID]) -> tuple[Items, list[Line]]:
    await work.db.send(LOCK_STOCK, orders=orders)
    lines = work.db.enqueue(LINES, orders=orders)
    items = items_of(await work.db.all(READ_STOCK, orders=orders))
    return items, [Line(*row) for row in await lines.all()]


async def commit(work: Work, orders: Sequence[UUID]) -> None:
    """The holds are locked, and all HELD."""
    await work.db.send(COMMIT, orders=orders, now=work.now)


async def lock_stock(work: Work, orders: Sequence[UUID]) -> None:
    """All stock of the SKUs that the holds have: for who changes some of it in one way, and then some in another."""
    await work.db.send(LOCK_STOCK, orders=orders)


async def extend(work: Work, order_id: UUID, expires_at: datetime) -> None:
    await work.db.send(EXTEND, order_id=order_id, expires_at=expires_at, now=work.now)


async def end(work: Work, orders: Sequence[UUID], status: Status) -> None:
    await work.db.send(END, orders=orders, status=status, now=work.now)


async def give_back(work: Work, was: Status, items: Items, lines: Iterable[Line]) -> None:
    """Gives back what is open of these lines. Their holds are locked with their stock, and all `was`."""
    given = [line for line in lines if line.open]
    if not given:
        return
    await work.db.send(
        GIVE_BACK[was],
        orders=[line.order_id for line in given],
        skus=[line.sku for line in given],
        locations=[line.location for line in given],
        quantities=[line.open for line in given],
    )
    for line in given:
        level = items[line.sku].at(line.location)
        assert level is not None, "stock is never deleted"
        if was is Status.HELD:
            level.held -= line.open
        else:
            level.committed -= line.open
    await tell(work, (items[sku] for sku in dict.fromkeys(line.sku for line in given)))


async def expire(work: Work, orders: Sequence[UUID]) -> None:
    """The holds are locked, and all HELD."""
    items, lines = await _lock_stock_of(work, orders)
    await give_back(work, Status.HELD, items, lines)
    await end(work, orders, Status.EXPIRED)


async def ship_lines(work: Work, order_id: UUID, lines: Sequence[Line]) -> None:
    """Of the hold alone; the ledger takes it from the stock."""
    await work.db.send(
        SHIP_LINES,
        order_id=order_id,
        skus=[line.sku for line in lines],
        locations=[line.location for line in lines],
        quantities=[line.open for line in lines],
    )


async def remember_released(work: Work, order_id: UUID) -> bool:
    """False when the order has got a hold in the meantime."""
    return bool(await work.db.value(REMEMBER_RELEASED, order_id=order_id, now=work.now))


async def keep_part(work: Work, id: UUID, order_id: UUID, kind: str, lines: Sequence[AllocatedLine]) -> None:
    await work.db.send(
        KEEP_PART,
        id=id,
        order_id=order_id,
        kind=kind,
        lines=orjson.dumps([line.model_dump() for line in lines]).decode(),
        now=work.now,
    )


async def part_done(work: Work, id: UUID, order_id: UUID, kind: str) -> tuple[AllocatedLine, ...] | None:
    """What was done under this key before."""
    row = await work.db.one(PART, id=id, order_id=order_id, kind=kind)
    if row is None:
        return None
    return tuple(AllocatedLine(**line) for line in row.lines)
