"""Fulfilments come into being where inventory has allocated the goods, and end with the order."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.orders.events import OrderCancelling, OrderConfirmed
from shared.orders.fulfilment_events import FulfilledLine, FulfilmentCancelled, FulfilmentCreated
from shared.runtime import Work
from shared.runtime.pipeline import Row

# Lines of one SKU take what is held of it in their order, locations in the order of their ids: both are laid out along
# the same rule, and a line has at a location what the two have in common. An order that is being cancelled has none.
ALLOCATED = text("""
with standing as (
  select id from orders.orders
  where id = any(cast(:orders as uuid[])) and status in ('confirmed', 'completed') order by id for share
), wanted as (
  select order_id, line_no, sku, quantity,
    sum(quantity) over (partition by order_id, sku order by line_no) - quantity as before
  from orders.order_lines l join standing s on s.id = l.order_id
  where not exists (select from orders.fulfilments f where f.order_id = l.order_id)
), held as (
  select order_id, sku, location, quantity,
    sum(quantity) over (partition by order_id, sku order by location) - quantity as before
  from inventory.hold_lines where order_id = any(cast(:orders as uuid[]))
)
select w.order_id, w.line_no, w.sku, h.location,
  case when h.sku is null then w.quantity
    else least(w.before + w.quantity, h.before + h.quantity) - greatest(w.before, h.before) end::int as quantity
from wanted w
left join held h on h.order_id = w.order_id and h.sku = w.sku
  and h.before < w.before + w.quantity and w.before < h.before + h.quantity
order by w.order_id, h.location, w.line_no
""")

KEEP = text("""
with kept as (
  insert into orders.fulfilments (id, order_id, location, status, created_at)
  select id, order_id, location, 'pending', :now
  from json_to_recordset(cast(:fulfilments as json)) as n (id uuid, order_id uuid, location text)
)
insert into orders.fulfilment_lines (fulfilment_id, order_id, line_no, quantity)
select fulfilment_id, order_id, line_no, quantity
from json_to_recordset(cast(:lines as json)) as n (fulfilment_id uuid, order_id uuid, line_no int, quantity int)
""")

# Who settles a step of the order writes its fulfilments whole: not at the same time.
LOCK_ORDERS = text("select from orders.orders where id = any(cast(:orders as uuid[])) order by id for update")

CALL_OFF = text("""
update orders.fulfilments set status = 'cancelled'
where order_id = any(cast(:orders as uuid[])) and status = 'pending'
returning id, order_id, location
""")

LINES = text("""
select p.fulfilment_id, l.line_no, l.sku, p.quantity
from orders.fulfilment_lines p
join orders.order_lines l on l.order_id = p.order_id and l.line_no = p.line_no
where p.order_id = any(cast(:orders as uuid[])) order by p.fulfilment_id, l.line_no
""")


async def arrange(work: Work, confirmed: Sequence[OrderConfirmed]) -> None:
    """An order that has fulfilments gets no more of them."""
    if not confirmed:
        return
    because = {event.order_id: event for event in confirmed}
    places: dict[tuple[UUID, str | None], list[Row]] = {}
    for row in await work.db.all(ALLOCATED, orders=sorted(because)):
        places.setdefault((row.order_id, row.location), []).append(row)
    if not places:
        return
    fulfilments: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for (order_id, location), rows in places.items():
        id = work.new_id()
        fulfilments.append({"id": id, "order_id": order_id, "location": location})
        lines += [
            {"fulfilment_id": id, "order_id": order_id, "line_no": row.line_no, "quantity": row.quantity}
            for row in rows
        ]
        work.emit(
            FulfilmentCreated(order_id=order_id, fulfilment_id=id, location=location, lines=_lines(rows)),
            because=because[order_id],
        )
    kept = {"fulfilments": orjson.dumps(fulfilments).decode(), "lines": orjson.dumps(lines).decode()}
    await work.db.send(KEEP, **kept, now=work.now)


async def call_off(work: Work, cancelling: Sequence[OrderCancelling]) -> None:
    """Whole cancellation is there only for orders of which nothing is on its way: all of it is pending."""
    if not cancelling:
        return
    because = {event.order_id: event for event in cancelling}
    await work.db.send(LOCK_ORDERS, orders=sorted(because))
    ended = await work.db.all(CALL_OFF, orders=sorted(because))
    if not ended:
        return
    lines: dict[UUID, list[Row]] = {}
    for row in await work.db.all(LINES, orders=sorted(because)):
        lines.setdefault(row.fulfilment_id, []).append(row)
    for one in sorted(ended, key=lambda one: one.id):
        work.emit(
            FulfilmentCancelled(
                order_id=one.order_id, fulfilment_id=one.id, location=one.location, lines=_lines(lines[one.id])
            ),
            because=because[one.order_id],
        )


def _lines(rows: Sequence[Row]) -> list[FulfilledLine]:
    return [FulfilledLine(line_no=row.line_no, sku=row.sku, quantity=row.quantity) for row in rows]
