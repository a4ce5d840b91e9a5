"""An order comes into being: its lines, its totals, its saga, in one transaction."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import text

from shared.inventory.events import HoldLine, HoldStock
from shared.orders import saga
from shared.orders.events import OrderCreated, OrderedLine
from shared.orders.views import OrderView
from shared.runtime import Work

HOLD_S = 900
"""How long stock is held for an order that is not paid yet, in seconds."""

STEP_DEADLINE = timedelta(seconds=30)
"""When an answer that a saga waits for is overdue, and its command is sent again."""

INSERT_ORDER = text("""
insert into orders.orders
  (id, number, reference, customer_id, recorded, placed_at, currency, subtotal_minor, total_minor, payment_token,
   status, version, created_at)
values
  (:id, :number, :reference, :customer_id, :recorded, :placed_at, :currency, :total_minor, :total_minor, :payment_token,
  'pending', 1, :now)
""")

INSERT_LINES = text("""
insert into orders.order_lines (order_id, line_no, sku, title, quantity, unit_price_minor, total_minor)
select :id, n, sku, title, quantity, price, quantity * price
from unnest(cast(:skus as text[]), cast(:titles as text[]), cast(:quantities as int[]), cast(:prices as bigint[]))
  with ordinality as l (sku, title, quantity, price, n)
""")

INSERT_SAGA = text("""
with saga as (
  insert into orders.sagas (order_id, state, moves, deadline, updated_at) values (:id, :state, 1, :deadline, :now)
)
insert into orders.saga_moves (order_id, position, to_state, cause, asked, at)
values (:id, 1, :state, 'OrderCreated', 'HoldStock', :now)
""")

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Priced(BaseModel):
    """A line at the price that the order keeps, in minor units."""

    sku: str
    title: str
    quantity: int
    unit_price_minor: int


def number_of(order_id: UUID) -> str:
    """A number to read out: ten characters of Crockford's base 32 out of the id's random bits."""
    digits = [_CROCKFORD[order_id.int >> shift & 31] for shift in range(45, -1, -5)]
    return f"{''.join(digits[:5])}-{''.join(digits[5:])}"


async def place(
    work: Work,
    lines: list[Priced],
    *,
    currency: str,
    payment_token: str,
    customer_id: str | None,
    placed_at: datetime,
    reference: str | None = None,
    recorded: bool = False,
) -> OrderView:
    """Writes the order as pending and asks for its stock. The total is the sum of the lines' totals, always."""
    order_id = work.new_id()
    ordered = [
        OrderedLine(line_no=n, total_minor=line.quantity * line.unit_price_minor, **line.__dict__)
        for n, line in enumerate(lines, 1)
    ]
    view = OrderView(
        id=order_id,
        number=number_of(order_id),
        reference=reference,
        customer_id=customer_id,
        status="pending",
        payment="none",
        reason=None,
        currency=currency,
        total_minor=sum(line.total_minor for line in ordered),
        refunded_minor=0,
        placed_at=placed_at,
        version=1,
        lines=ordered,
    )
    await work.db.send(
        INSERT_ORDER,
        **view.model_dump(include={"id", "number", "reference", "customer_id", "placed_at", "currency", "total_minor"}),
        recorded=recorded,
        payment_token=payment_token,
        now=work.now,
    )
    await work.db.send(
        INSERT_LINES,
        id=order_id,
        skus=[line.sku for line in lines],
        titles=[line.title for line in lines],
        quantities=[line.quantity for line in lines],
        prices=[line.unit_price_minor for line in lines],
    )
    await work.db.send(INSERT_SAGA, id=order_id, state=saga.START, deadline=work.now + STEP_DEADLINE, now=work.now)
    work.emit(
        OrderCreated(
            order_id=order_id,
            number=view.number,
            reference=reference,
            customer_id=customer_id,
            placed_at=placed_at,
            currency=currency,
            total_minor=view.total_minor,
            lines=ordered,
        )
    )
    work.emit(HoldStock(order_id=order_id, lines=demand(lines), expires_in_s=HOLD_S))
    return view


def demand(lines: list[Priced]) -> list[HoldLine]:
    """What the lines need of each SKU, summed: two lines of one SKU compete for the same stock."""
    needed: dict[str, int] = {}
    for line in lines:
        needed[line.sku] = needed.get(line.sku, 0) + line.quantity
    return [HoldLine(sku=sku, quantity=quantity) for sku, quantity in sorted(needed.items())]
