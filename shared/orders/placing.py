"""An order comes into being: its lines, its totals, its saga, in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.inventory.events import HoldLine, HoldStock
from shared.orders import saga
from shared.orders.events import OrderCreated, OrderedLine
from shared.orders.pricing import Totals
from shared.orders.views import OrderLine, OrderView
from shared.runtime import Work
from shared.vocabulary import Address

HOLD_S = 900
"""How long stock is held for an order that is not paid yet, in seconds."""

STEP_DEADLINE = timedelta(seconds=30)
"""When an answer that a saga waits for is overdue, and its command is sent again."""

INSERT_ORDER = text("""
insert into orders.orders
  (id, number, reference, customer_id, recorded, placed_at, currency, prices_include_tax, subtotal_minor,
   discount_minor, shipping_minor, shipping_tax_minor, tax_minor, total_minor, discount_codes, email, shipping_address,
   billing_address, country, guest, shipping_method, capture, on_decline, payment_token, status, version, created_at)
values
  (:id, :number, :reference, :customer_id, :recorded, :placed_at, :currency, :prices_include_tax, :subtotal_minor,
   :discount_minor, :shipping_minor, :shipping_tax_minor, :tax_minor, :total_minor, cast(:discount_codes as text[]),
   :email, cast(:shipping_address as jsonb), cast(:billing_address as jsonb), :country, :guest, :shipping_method,
   :capture, :on_decline, :payment_token, 'pending', 1, :now)
""")

INSERT_LINES = text("""
insert into orders.order_lines
  (order_id, line_no, sku, title, quantity, unit_price_minor, discount_minor, tax_minor, total_minor, product_id,
   category_id, tax_class, tax_rate_ppm)
select :id, n, sku, title, quantity, price, discount, tax, total, product_id, category_id, tax_class, rate
from unnest(cast(:skus as text[]), cast(:titles as text[]), cast(:quantities as int[]), cast(:prices as bigint[]),
  cast(:discounts as bigint[]), cast(:taxes as bigint[]), cast(:totals as bigint[]), cast(:product_ids as uuid[]),
  cast(:category_ids as uuid[]), cast(:tax_classes as text[]), cast(:tax_rates as int[]))
  with ordinality as l (sku, title, quantity, price, discount, tax, total, product_id, category_id, tax_class, rate, n)
""")

INSERT_SAGA = text("""
with saga as (
  insert into orders.sagas (order_id, state, moves, deadline, updated_at) values (:id, :state, 1, :deadline, :now)
)
insert into orders.saga_moves (order_id, position, to_state, cause, asked, at)
values (:id, 1, :state, 'OrderCreated', 'HoldStock', :now)
""")

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Placement:
    """Everything of an order that is not money. `country` is where it goes, by its address or else as agreed."""

    payment_token: str
    customer_id: str | None
    placed_at: datetime
    on_decline: str
    capture: str = "now"
    email: str | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    country: str | None = None
    guest: bool = False
    shipping_method: str | None = None
    reference: str | None = None
    recorded: bool = False


def number_of(order_id: UUID) -> str:
    """A number to read out: ten characters of Crockford's base 32 out of the id's random bits."""
    digits = [_CROCKFORD[order_id.int >> shift & 31] for shift in range(45, -1, -5)]
    return f"{''.join(digits[:5])}-{''.join(digits[5:])}"


async def place(work: Work, totals: Totals, placement: Placement) -> OrderView:
    """Writes the order as pending and asks for its stock."""
    order_id, amounts = work.new_id(), totals.amounts()
    kept: dict[str, Any] = {
        "number": number_of(order_id),
        "reference": placement.reference,
        "customer_id": placement.customer_id,
        "placed_at": placement.placed_at,
        "currency": totals.currency,
        "prices_include_tax": totals.prices_include_tax,
        "discount_codes": list(totals.discounts),
        "email": placement.email,
        "country": placement.country,
        "guest": placement.guest,
        "shipping_method": placement.shipping_method,
        "capture": placement.capture,
        "on_decline": placement.on_decline,
        **amounts,
    }
    view = OrderView.model_construct(
        id=order_id,
        status="pending",
        payment="none",
        reason=None,
        refunded_minor=0,
        version=1,
        shipping_address=placement.shipping_address,
        billing_address=placement.billing_address,
        lines=totals.lines,
        **kept,
    )
    await work.db.send(
        INSERT_ORDER,
        id=order_id,
        recorded=placement.recorded,
        payment_token=placement.payment_token,
        shipping_address=_json(placement.shipping_address),
        billing_address=_json(placement.billing_address),
        now=work.now,
        **kept,
    )
    await _keep_lines(work, order_id, totals.lines)
    await work.db.send(INSERT_SAGA, id=order_id, state=saga.START, deadline=work.now + STEP_DEADLINE, now=work.now)
    work.emit(
        OrderCreated(
            order_id=order_id,
            number=view.number,
            reference=view.reference,
            customer_id=view.customer_id,
            placed_at=view.placed_at,
            currency=view.currency,
            total_minor=view.total_minor,
            lines=[_told(line) for line in totals.lines],
            country=view.country,
            discount_minor=view.discount_minor,
            shipping_minor=view.shipping_minor,
            tax_minor=view.tax_minor,
        )
    )
    held = demand(totals.lines)
    work.emit(HoldStock(order_id=order_id, lines=held, expires_in_s=HOLD_S, ship_to=placement.country))
    return view


async def _keep_lines(work: Work, order_id: UUID, lines: list[OrderLine]) -> None:
    await work.db.send(
        INSERT_LINES,
        id=order_id,
        skus=[line.sku for line in lines],
        titles=[line.title for line in lines],
        quantities=[line.quantity for line in lines],
        prices=[line.unit_price_minor for line in lines],
        discounts=[line.discount_minor for line in lines],
        taxes=[line.tax_minor for line in lines],
        totals=[line.total_minor for line in lines],
        product_ids=[line.product_id for line in lines],
        category_ids=[line.category_id for line in lines],
        tax_classes=[line.tax_class for line in lines],
        tax_rates=[line.tax_rate_ppm for line in lines],
    )


def demand(lines: list[OrderLine]) -> list[HoldLine]:
    """What the lines need of each SKU, summed: two lines of one SKU compete for the same stock."""
    needed: dict[str, int] = {}
    for line in lines:
        needed[line.sku] = needed.get(line.sku, 0) + line.quantity
    return [HoldLine(sku=sku, quantity=quantity) for sku, quantity in sorted(needed.items())]


def _told(line: OrderLine) -> OrderedLine:
    return OrderedLine.model_construct(**{name: getattr(line, name) for name in OrderedLine.model_fields})


def _json(address: Address | None) -> str | None:
    return None if address is None else orjson.dumps(address.model_dump()).decode()
