"""Orders that are being fulfilled, locked with all that belongs to it: many at a time, changed here, saved at once."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.orders import saga
from shared.orders.events import OrderCompleted
from shared.orders.fulfilment import GONE, Fulfilment, Line, Part, Stage, Status, What, stage_of
from shared.orders.fulfilment_events import (
    FulfilmentCancelled,
    FulfilmentCreated,
    FulfilmentDelivered,
    FulfilmentReturned,
    FulfilmentShipped,
)
from shared.orders.progress import Sagas, Standing, lock_all
from shared.orders.steps import ANSWER_WITHIN, BINDING, Kind, State, Step, StepLine
from shared.orders.steps import OPEN as OPEN_STEPS
from shared.runtime import Event, Work

SAID = (
    FulfilmentCreated,
    FulfilmentShipped,
    FulfilmentDelivered,
    FulfilmentCancelled,
    FulfilmentReturned,
    OrderCompleted,
)

_OF = "where order_id = any(cast(:orders as uuid[]))"

ORDERS = text("""
select id, review, captured_minor, shipping_minor from orders.orders where id = any(cast(:orders as uuid[]))
""")
LINES = text(f"""
select order_id, line_no, sku, quantity, total_minor, shipped_quantity, cancelled_quantity, returned_quantity
from orders.order_lines {_OF} order by order_id, line_no
""")  # noqa: S608 - of constants
FULFILMENTS = text(f"""
select id, order_id, location, status, created_at, refused, carrier, tracking_number, tracking_url, shipped_at,
  delivered_at
from orders.fulfilments {_OF} order by created_at, id
""")  # noqa: S608 - of constants
PARTS = text(f"""
select fulfilment_id, order_id, line_no, quantity, shipped, cancelled, cancelling, shipped_minor, cancelled_minor
from orders.fulfilment_lines {_OF} order by fulfilment_id, line_no
""")  # noqa: S608 - of constants
STEPS = text(f"""
select id, order_id, kind, state, source, reason, created_at, deadline, lines, amount_minor, location, answer, tries,
  asked
from orders.steps {_OF} and (deadline is not null or state = 'needs_attention' or id = any(cast(:steps as uuid[])))
order by created_at, id
""")  # noqa: S608 - of constants

SAVE_ORDERS = text("""
with changed as (
  select * from json_to_recordset(cast(:orders as json)) as n (
    id uuid, stage text, captured_minor bigint, refunded_minor bigint, completed boolean, paid boolean)
), paid as (
  update orders.sagas s set payment = 'captured' from changed n where s.order_id = n.id and n.paid
)
update orders.orders o
set fulfilment = n.stage, captured_minor = n.captured_minor, refunded_minor = n.refunded_minor,
  status = case when n.completed then 'completed' else o.status end, version = o.version + 1
from changed n where o.id = n.id
""")
SAVE_LINES = text("""
update orders.order_lines l
set shipped_quantity = n.shipped, cancelled_quantity = n.cancelled, returned_quantity = n.returned
from json_to_recordset(cast(:lines as json)) as n (order_id uuid, line_no int, shipped int, cancelled int, returned int)
where l.order_id = n.order_id and l.line_no = n.line_no
""")
SAVE_FULFILMENTS = text("""
insert into orders.fulfilments as f (id, order_id, location, status, created_at, refused, carrier, tracking_number,
  tracking_url, shipped_at, delivered_at)
select * from json_to_recordset(cast(:fulfilments as json)) as n (
  id uuid, order_id uuid, location text, status text, created_at timestamptz, refused text, carrier text,
  tracking_number text, tracking_url text, shipped_at timestamptz, delivered_at timestamptz)
on conflict (id) do update set status = excluded.status, refused = excluded.refused, carrier = excluded.carrier,
  tracking_number = excluded.tracking_number, tracking_url = excluded.tracking_url, shipped_at = excluded.shipped_at,
  delivered_at = excluded.delivered_at
""")
SAVE_PARTS = text("""
with n as (
  select * from json_to_recordset(cast(:parts as json)) as n (
    fulfilment_id uuid, order_id uuid, line_no int, quantity int, shipped int, cancelled int, cancelling int,
    shipped_minor bigint, cancelled_minor bigint)
)
insert into orders.fulfilment_lines (fulfilment_id, order_id, line_no, quantity, shipped, cancelled, cancelling,
  shipped_minor, cancelled_minor)
select * from n
on conflict (fulfilment_id, line_no) do update set quantity = excluded.quantity, shipped = excluded.shipped,
  cancelled = excluded.cancelled, cancelling = excluded.cancelling, shipped_minor = excluded.shipped_minor,
  cancelled_minor = excluded.cancelled_minor
""")
SAVE_STEPS = text("""
insert into orders.steps (id, order_id, kind, state, source, reason, created_at, deadline, lines, amount_minor,
  location, answer, tries, asked, updated_at)
select n.*, cast(:now as timestamptz) from json_to_recordset(cast(:steps as json)) as n (
  id uuid, order_id uuid, kind text, state text, source text, reason text, created_at timestamptz,
  deadline timestamptz, lines jsonb, amount_minor bigint, location text, answer text, tries int, asked int)
on conflict (id) do update set state = excluded.state, lines = excluded.lines, reason = excluded.reason,
  deadline = excluded.deadline, location = excluded.location, answer = excluded.answer, tries = excluded.tries,
  asked = excluded.asked, updated_at = excluded.updated_at
""")


@dataclass(slots=True)
class Order:
    """An order with its lines, its fulfilments, and its steps that are open or were named when it was locked."""

    at: Standing
    review: str | None
    captured_minor: int
    shipping_minor: int
    refunded_minor: int
    lines: dict[int, Line] = field(default_factory=dict)
    fulfilments: dict[UUID, Fulfilment] = field(default_factory=dict)
    steps: dict[UUID, Step] = field(default_factory=dict)

    @property
    def id(self) -> UUID:
        return self.at.order_id

    @property
    def stands(self) -> bool:
        """Whether goods and money may still move: its checkout is done, and it is not being cancelled."""
        return self.at.state is saga.COMPLETED

    @property
    def at_shipment(self) -> bool:
        return self.at.capture == "at_shipment"

    @property
    def refundable_minor(self) -> int:
        """What was captured and is not asked back already."""
        captured = self.captured_minor if self.at_shipment else self.at.total_minor
        return captured - self.refunded_minor

    @property
    def stage(self) -> Stage:
        return stage_of(list(self.fulfilments.values()))

    @property
    def is_complete(self) -> bool:
        """All is shipped or cancelled, something was shipped, and nothing is asked that its money waits for."""
        if not self.stands or any(one.under_way for one in self.fulfilments.values()):
            return False
        if any(step.state in OPEN_STEPS and step.kind in BINDING for step in self.steps.values()):
            return False
        return any(one.status in GONE for one in self.fulfilments.values())


@dataclass(slots=True)
class Fulfilling:
    work: Work
    sagas: Sagas
    orders: dict[UUID, Order]
    touched: dict[UUID, Event | None] = field(default_factory=dict)
    changed_fulfilments: dict[UUID, Fulfilment] = field(default_factory=dict)
    changed_steps: dict[UUID, Step] = field(default_factory=dict)

    def touch(self, order: Order, because: Event | None = None) -> None:
        """Its lines and its sums are saved, and it is seen whether it is complete."""
        self.touched[order.id] = because

    def move(self, order: Order, one: Fulfilment, when: What, because: Event | None = None) -> None:
        say = one.move(when)
        self.changed_fulfilments[one.id] = one
        self.touch(order, because)
        if say is not None:
            self.say(order, one, say, because)

    def say(self, order: Order, one: Fulfilment, what: type[Event], because: Event | None = None) -> None:
        self.work.emit(
            what.model_validate(
                {
                    "order_id": order.id,
                    "fulfilment_id": one.id,
                    "location": one.location,
                    "lines": one.told(order.lines, whole=what is FulfilmentCancelled),
                    "carrier": one.carrier,
                    "tracking_number": one.tracking_number,
                    "tracking_url": one.tracking_url,
                }
            ),
            because=because,
        )

    def ask(
        self,
        order: Order,
        kind: Kind,
        *,
        source: str,
        reason: str,
        id: UUID | None = None,
        lines: Collection[StepLine] = (),
        amount_minor: int | None = None,
        location: str | None = None,
        because: Event | None = None,
    ) -> Step:
        """Begins a step, and sends its command. A shipment that was refused before begins again under its id."""
        step = Step(
            id=id or self.work.new_id(),
            order_id=order.id,
            kind=kind,
            state=State.ASKED,
            source=source,
            reason=reason,
            created_at=self.work.now,
            deadline=self.work.now + ANSWER_WITHIN,
            lines=list(lines),
            amount_minor=amount_minor,
            location=location,
        )
        order.steps[step.id] = self.changed_steps[step.id] = step
        self.touch(order, because)
        self.work.emit(step.command, because=because)
        return step

    def settle(self, order: Order, step: Step, state: State, answer: str | None = None) -> None:
        step.settle(state, answer)
        self.changed_steps[step.id] = step
        self.touch(order, self.touched.get(order.id))

    async def save(self) -> None:
        """Writes what has changed, a table at a time, and tells which orders are complete by it."""
        if not self.touched:
            return
        completed = self._complete()
        db = self.work.db
        orders = [self.orders[id] for id in sorted(self.touched)]
        if self.changed_fulfilments:
            rows = [_row(one, without=("parts",)) for one in self.changed_fulfilments.values()]
            await db.send(SAVE_FULFILMENTS, fulfilments=_json(rows))
            parts = [
                {"fulfilment_id": one.id, "order_id": one.order_id, **_row(part)}
                for one in self.changed_fulfilments.values()
                for part in one.parts.values()
            ]
            await db.send(SAVE_PARTS, parts=_json(parts))
        if self.changed_steps:
            await db.send(
                SAVE_STEPS, steps=_json([_row(step) for step in self.changed_steps.values()]), now=self.work.now
            )
        lines = [{"order_id": order.id, **_row(line)} for order in orders for line in order.lines.values()]
        await db.send(SAVE_LINES, lines=_json(lines))
        sums = [
            {
                "id": order.id,
                "stage": order.stage,
                "captured_minor": order.captured_minor,
                "refunded_minor": order.refunded_minor,
                "completed": order.id in completed,
                "paid": order.id in completed and order.at_shipment and order.captured_minor > 0,
            }
            for order in orders
        ]
        await db.send(SAVE_ORDERS, orders=_json(sums))
        self.touched.clear()

    def _complete(self) -> set[UUID]:
        completed = set()
        for order_id, because in self.touched.items():
            order = self.orders[order_id]
            if order.at.status == "confirmed" and order.is_complete:
                completed.add(order_id)
                said = OrderCompleted(order_id=order_id, currency=order.at.currency, total_minor=order.at.total_minor)
                self.work.emit(said, because=because)
        return completed


async def lock_orders(work: Work, ids: Collection[UUID], *, steps: Collection[UUID] = ()) -> Fulfilling:
    """Nobody else ships, cancels or refunds them until the transaction ends.

    `steps` are loaded whatever state they are in; of all others those that are open.
    """
    sagas = await lock_all(work, ids, with_order=True)
    known = {"orders": sorted(sagas.standings)}
    pending = [work.db.enqueue(sql, **known) for sql in (ORDERS, LINES, FULFILMENTS, PARTS)]
    asked = await work.db.all(STEPS, **known, steps=sorted(steps))
    orders_read, lines_read, fulfilments_read, parts_read = [await one.all() for one in pending]
    orders = {}
    for row in orders_read:
        at = sagas.standings[row.id]
        orders[row.id] = Order(at, row.review, row.captured_minor, row.shipping_minor, at.refunded_minor)
    for row in lines_read:
        orders[row.order_id].lines[row.line_no] = Line(*row[1:])
    for row in fulfilments_read:
        one = Fulfilment(**{**row._asdict(), "status": Status(row.status)})
        orders[row.order_id].fulfilments[row.id] = one
    for row in parts_read:
        orders[row.order_id].fulfilments[row.fulfilment_id].parts[row.line_no] = Part(*row[2:])
    for row in asked:
        of = {"kind": Kind(row.kind), "state": State(row.state), "lines": [StepLine(**line) for line in row.lines]}
        orders[row.order_id].steps[row.id] = Step(**{**row._asdict(), **of})
    return Fulfilling(work, sagas, orders)


def _row(of: Any, without: Collection[str] = ()) -> dict[str, Any]:
    return {name: value for name, value in asdict(of).items() if name not in without}


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()
