"""Fulfilments, refunds and steps as operators and customers read them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from shared.orders.fulfilment import Stage, Status
from shared.orders.fulfilment_problems import UnknownFulfilment
from shared.orders.problems import UnknownOrder
from shared.orders.steps import Kind, State
from shared.runtime import View, Work


class FulfilmentLine(BaseModel):
    """`open` may still be shipped; `cancelling` is being asked back from inventory."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    title: str
    quantity: int
    open: int
    shipped: int
    cancelled: int
    cancelling: int


class FulfilmentView(View):
    """`location` is where the goods are picked, none for goods that are not tracked.

    `refused` is why inventory let nothing leave when it was asked last.
    """

    id: UUID
    order_id: UUID
    location: str | None
    status: Status
    refused: str | None
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    created_at: datetime
    shipped_at: datetime | None
    delivered_at: datetime | None
    lines: list[FulfilmentLine]


class RefundView(View):
    """`source` is what it is for, `failure` why the provider did not pay."""

    id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    source: Literal["cancellation", "shortage", "request", "return", "goodwill"]
    reason: str
    status: Literal["requested", "succeeded", "failed"]
    failure: str | None
    request_id: UUID | None
    created_at: datetime
    updated_at: datetime


class OrderedUnits(BaseModel):
    """`quantity` was ordered; what is neither shipped nor cancelled of it is still to come."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    title: str
    quantity: int
    shipped: int
    cancelled: int
    returned: int


class OrderFulfilment(View):
    """How far an order is on its way, and what was paid back of it."""

    order_id: UUID
    number: str
    status: str
    fulfilment: Stage
    currency: str
    total_minor: int
    refunded_minor: int
    lines: list[OrderedUnits]
    fulfilments: list[FulfilmentView]
    refunds: list[RefundView]


class StepView(View):
    """What was asked of inventory or payments; `answer` is why it was refused. `asked` counts under the last key."""

    id: UUID
    order_id: UUID
    kind: Kind
    state: State
    source: str
    reason: str
    amount_minor: int | None
    location: str | None
    answer: str | None
    tries: int
    asked: int
    deadline: datetime | None
    created_at: datetime
    updated_at: datetime


FULFILMENT = """
select f.id, f.order_id, f.location, f.status, f.refused, f.carrier, f.tracking_number, f.tracking_url, f.created_at,
  f.shipped_at, f.delivered_at, p.lines
from orders.fulfilments f
cross join lateral (
  select jsonb_agg(jsonb_build_object('line_no', l.line_no, 'sku', l.sku, 'title', l.title, 'quantity', p.quantity,
    'open', p.quantity - p.shipped - p.cancelled - p.cancelling, 'shipped', p.shipped, 'cancelled', p.cancelled,
    'cancelling', p.cancelling) order by l.line_no) as lines
  from orders.fulfilment_lines p
  join orders.order_lines l on l.order_id = p.order_id and l.line_no = p.line_no
  where p.fulfilment_id = f.id and p.quantity > 0
) p
"""
ONE = text(f"{FULFILMENT} where f.id = :id")
OF_ORDER = text(f"{FULFILMENT} where f.order_id = :order_id order by f.created_at, f.id")

REFUND = """
select r.id, r.order_id, r.amount_minor, o.currency, r.source, r.reason, r.status, r.failure, r.request_id,
  r.created_at, r.updated_at
from orders.refunds r join orders.orders o on o.id = r.order_id
"""
REFUNDS_OF_ORDER = text(f"{REFUND} where r.order_id = :order_id order by r.created_at, r.id")
ONE_REFUND = text(f"{REFUND} where r.id = :id")

STEP = """
select id, order_id, kind, state, source, reason, amount_minor, location, answer, tries, asked, deadline, created_at,
  updated_at
from orders.steps
"""
ONE_STEP = text(f"{STEP} where id = :id")
OPEN_STEPS = text(f"""
{STEP} where order_id = :order_id and (deadline is not null or state = 'needs_attention') order by created_at, id
""")

ORDER = text("""
select o.id as order_id, o.number, o.status, o.fulfilment, o.currency, o.total_minor, o.refunded_minor, o.customer_id,
  (select jsonb_agg(jsonb_build_object('line_no', line_no, 'sku', sku, 'title', title, 'quantity', quantity,
    'shipped', shipped_quantity, 'cancelled', cancelled_quantity, 'returned', returned_quantity) order by line_no)
    from orders.order_lines l where l.order_id = o.id) as lines
from orders.orders o where o.id = :order_id
""")

OWNER = text("select order_id from orders.fulfilments where id = :id")


async def order_of(work: Work, fulfilment_id: UUID) -> UUID:
    """Raises UnknownFulfilment."""
    order_id: UUID | None = await work.db.value(OWNER, id=fulfilment_id)
    if order_id is None:
        raise UnknownFulfilment(fulfilment_id=fulfilment_id)
    return order_id


async def read_fulfilment(work: Work, fulfilment_id: UUID) -> FulfilmentView:
    """Raises UnknownFulfilment."""
    row = await work.db.one(ONE, id=fulfilment_id)
    if row is None:
        raise UnknownFulfilment(fulfilment_id=fulfilment_id)
    return FulfilmentView.model_validate(row._asdict())


async def read_order_fulfilment(work: Work, order_id: UUID) -> OrderFulfilment:
    """If the caller may see the order: one's own, or any for admins and operators. Raises UnknownOrder."""
    fulfilments = work.db.enqueue(OF_ORDER, order_id=order_id)
    refunds = work.db.enqueue(REFUNDS_OF_ORDER, order_id=order_id)
    row = await work.db.one(ORDER, order_id=order_id)
    if row is None or not (may_see(work, row.customer_id)):
        raise UnknownOrder(order_id=order_id)
    return OrderFulfilment.model_validate(
        {
            **{name: value for name, value in row._asdict().items() if name != "customer_id"},
            "fulfilments": [one._asdict() for one in await fulfilments.all()],
            "refunds": [one._asdict() for one in await refunds.all()],
        }
    )


def may_see(work: Work, customer_id: str | None) -> bool:
    own = customer_id is not None and customer_id == work.caller.subject
    return own or work.caller.has("admin", "operator")


async def read_refund(work: Work, refund_id: UUID) -> RefundView:
    row = await work.db.one(ONE_REFUND, id=refund_id)
    assert row is not None, "it was written by this transaction"
    return RefundView.model_validate(row._asdict())


async def read_step(work: Work, step_id: UUID) -> StepView:
    row = await work.db.one(ONE_STEP, id=step_id)
    assert row is not None, "it was written by this transaction"
    return StepView.model_validate(row._asdict())
