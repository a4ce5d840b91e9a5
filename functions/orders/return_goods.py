"""Take goods back: refund them against the customer's latest earlier sales of that SKU (ORD-011)."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text

from shared.orders.fulfilment_tables import refunds, steps
from shared.orders.steps import ANSWER_WITHIN
from shared.orders.tables import order_lines, orders, return_lines, returns
from shared.payments.events import RefundPayment
from shared.runtime import Request, View, Work, http
from shared.vocabulary import BOOKS_DAYS, Line, Minor, Moment, Quantity, Sku

SOLD = text("""
select o.id as order_id, l.line_no, l.quantity - l.cancelled_quantity - l.returned_quantity as quantity_left,
  o.currency, case when o.capture = 'now' then o.total_minor else o.captured_minor end - o.refunded_minor as left_minor
from orders.orders o join orders.order_lines l on l.order_id = o.id
where o.customer_id = :customer_id and o.placed_at < :returned_at and o.status in ('confirmed', 'completed')
  and l.sku = :sku and l.returned_quantity + l.cancelled_quantity < l.quantity
order by o.placed_at desc, o.id desc, l.line_no
limit 100
for update of o, l
""")

KEEP_RETURN = text("""
insert into orders.returns
  (id, customer_id, sku, quantity, unit_price_minor, currency, returned_at, reason, actor, created_at)
values
  (:id, :customer_id, :sku, :quantity, :unit_price_minor, :currency, :returned_at, :reason, :actor, :now)
""")

KEEP_LINES = text("""
with taken as (
  select * from unnest(cast(:refund_ids as uuid[]), cast(:order_ids as uuid[]), cast(:line_nos as int[]),
    cast(:quantities as int[]), cast(:amounts as bigint[])) as t (refund_id, order_id, line_no, quantity, amount_minor)
), counted as (
  update orders.order_lines l set returned_quantity = l.returned_quantity + t.quantity
  from taken t where l.order_id = t.order_id and l.line_no = t.line_no
), owed as (
  update orders.orders o set refunded_minor = o.refunded_minor + t.amount_minor, version = o.version + 1
  from (select order_id, sum(amount_minor) as amount_minor from taken group by order_id) t where o.id = t.order_id
), refunded as (
  insert into orders.refunds (id, order_id, amount_minor, source, reason, status, created_at, updated_at)
  select refund_id, order_id, amount_minor, 'return', :reason, 'requested', :now, :now
  from taken where amount_minor > 0
), asked as (
  insert into orders.steps
    (id, order_id, kind, state, amount_minor, source, reason, deadline, created_at, updated_at)
  select refund_id, order_id, 'refund', 'asked', amount_minor, 'return', :reason, :deadline, :now, :now
  from taken where amount_minor > 0
)
insert into orders.return_lines (return_id, refund_id, order_id, line_no, quantity, amount_minor, status)
select :id, refund_id, order_id, line_no, quantity, amount_minor,
  case when amount_minor > 0 then 'requested' else 'succeeded' end
from taken
""")


class ReturnGoods(Request):
    """`unit_price_minor` is what is paid back for each unit, in minor units of the order's currency."""

    customer_id: Annotated[str, Field(min_length=1, max_length=100)]
    sku: Sku
    quantity: Quantity
    unit_price_minor: Minor
    returned_at: Moment
    reason: Line


class Matched(BaseModel):
    order_id: UUID
    line_no: int
    quantity: int
    amount_minor: int


class ReturnView(View):
    """What could be set against a sale, and what could not: nothing sold, or more than was paid for that order."""

    return_id: UUID
    matched: list[Matched]
    unmatched_quantity: int
    unmatched_amount_minor: int


@http(
    "POST /v1/admin/returns",
    status=201,
    role="admin",
    idempotent=True,
    key_days=BOOKS_DAYS,
    writes=[orders, order_lines, returns, return_lines, refunds, steps],
    emits=[RefundPayment],
)
async def return_goods(request: ReturnGoods, work: Work) -> ReturnView:
    """An order is never refunded above its total. The stock is not touched: inventory receives goods, or not."""
    sold = await work.db.all(SOLD, customer_id=request.customer_id, sku=request.sku, returned_at=request.returned_at)
    refundable = {line.order_id: line.left_minor for line in sold}
    matched: list[Matched] = []
    open_quantity = request.quantity
    for line in sold:
        if open_quantity == 0:
            break
        quantity = min(open_quantity, line.quantity_left)
        amount = min(quantity * request.unit_price_minor, refundable[line.order_id])
        refundable[line.order_id] -= amount
        open_quantity -= quantity
        matched.append(Matched(order_id=line.order_id, line_no=line.line_no, quantity=quantity, amount_minor=amount))
    view = ReturnView(
        return_id=work.new_id(),
        matched=matched,
        unmatched_quantity=open_quantity,
        unmatched_amount_minor=request.quantity * request.unit_price_minor
        - sum(match.amount_minor for match in matched),
    )
    if matched:
        await _keep(request, view, sold[0].currency, work)
    return view


async def _keep(request: ReturnGoods, view: ReturnView, currency: str, work: Work) -> None:
    refund_ids = [work.new_id() for _ in view.matched]
    await work.db.send(
        KEEP_RETURN,
        **request.model_dump(),
        id=view.return_id,
        currency=currency,
        actor=work.caller.subject,
        now=work.now,
    )
    await work.db.send(
        KEEP_LINES,
        id=view.return_id,
        reason=request.reason,
        now=work.now,
        deadline=work.now + ANSWER_WITHIN,
        refund_ids=refund_ids,
        order_ids=[match.order_id for match in view.matched],
        line_nos=[match.line_no for match in view.matched],
        quantities=[match.quantity for match in view.matched],
        amounts=[match.amount_minor for match in view.matched],
    )
    for refund_id, match in zip(refund_ids, view.matched, strict=True):
        if match.amount_minor:
            work.emit(
                RefundPayment(
                    order_id=match.order_id,
                    refund_id=refund_id,
                    amount_minor=match.amount_minor,
                    reason=request.reason,
                    command_key=f"refund/{refund_id}",
                )
            )
