"""Orders as customers and operators read them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, case, select

from shared.orders.events import OrderedLine
from shared.orders.problems import UnknownOrder
from shared.orders.saga import AWAITING_CUSTOMER, FINAL, Payment, Status
from shared.orders.tables import order_lines, orders, sagas
from shared.runtime import View, Work
from shared.vocabulary import Address


class OrderSummary(View):
    """`status` is where the order stands, `payment` where its money stands, `reason` why it ended without a sale."""

    id: UUID
    number: str
    reference: str | None
    customer_id: str | None
    status: Status
    payment: Payment
    reason: str | None
    currency: str
    total_minor: int
    refunded_minor: int
    placed_at: datetime
    version: int


class OrderLine(OrderedLine):
    """`tax_rate_ppm` is in parts per million: 200000 is 20 %."""

    tax_class: str = "standard"
    tax_rate_ppm: int = 0


class ShippingOption(View):
    """What shipping by `method` would cost, tax included."""

    method: str
    name: str
    shipping_minor: int


class Amounts(View):
    """How the total came about, in minor units.

    `subtotal_minor` is the goods at their prices, `discount_minor` what was taken off them; `shipping_minor` is what is
    paid for shipping, tax included, of which `shipping_tax_minor` is tax. `tax_minor` is all the tax in the total. The
    total is always the sum of the lines' totals and `shipping_minor`.
    """

    prices_include_tax: bool
    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    shipping_tax_minor: int
    tax_minor: int


class OrderView(OrderSummary, Amounts):
    """`country` is where it goes; `capture` when its money is taken; `on_decline` what follows a declined card.

    `action_url` is where the customer has to act, and `pay_by` until when the stock is held, while the order waits for
    that.
    """

    action_url: str | None = None
    pay_by: datetime | None = None
    email: str | None
    shipping_address: Address | None
    billing_address: Address | None
    country: str | None
    guest: bool
    shipping_method: str | None
    discount_codes: list[str]
    capture: Literal["now", "at_shipment"]
    on_decline: Literal["reject", "wait"]
    lines: list[OrderLine]


_joined = orders.join(sagas, sagas.c.order_id == orders.c.id)

SUMMARY = select(
    orders.c.id,
    orders.c.number,
    orders.c.reference,
    orders.c.customer_id,
    orders.c.status,
    sagas.c.payment,
    sagas.c.reason,
    orders.c.currency,
    orders.c.total_minor,
    orders.c.refunded_minor,
    orders.c.placed_at,
    (orders.c.version + sagas.c.moves - 1).label("version"),  # whatever the view shows moves one of the two
).select_from(_joined)

ORDER = SUMMARY.add_columns(
    sagas.c.action_url,
    case((orders.c.status == "awaiting_customer", sagas.c.hold_until)).label("pay_by"),
    orders.c.email,
    orders.c.shipping_address,
    orders.c.billing_address,
    orders.c.country,
    orders.c.guest,
    orders.c.shipping_method,
    orders.c.prices_include_tax,
    orders.c.subtotal_minor,
    orders.c.discount_minor,
    orders.c.shipping_minor,
    orders.c.shipping_tax_minor,
    orders.c.tax_minor,
    orders.c.discount_codes,
    orders.c.capture,
    orders.c.on_decline,
).where(orders.c.id == bindparam("order_id"))

LINES = (
    select(
        order_lines.c.line_no,
        order_lines.c.sku,
        order_lines.c.title,
        order_lines.c.quantity,
        order_lines.c.unit_price_minor,
        order_lines.c.total_minor,
        order_lines.c.product_id,
        order_lines.c.category_id,
        order_lines.c.discount_minor,
        order_lines.c.tax_minor,
        order_lines.c.tax_class,
        order_lines.c.tax_rate_ppm,
    )
    .where(order_lines.c.order_id == bindparam("order_id"))
    .order_by(order_lines.c.line_no)
)

STATE = select(sagas.c.state).where(sagas.c.order_id == bindparam("order_id"))

SETTLED = FINAL | {AWAITING_CUSTOMER}


async def read_order(work: Work, order_id: UUID, *, by_link: bool = False) -> OrderView:
    """The order, if the caller may see it: one's own, any for admins and operators, or what a link of theirs names.

    Raises UnknownOrder.
    """
    lines_read = work.db.enqueue(LINES, order_id=order_id)
    row = await work.db.one(ORDER, order_id=order_id)
    own = row is not None and row.customer_id is not None and row.customer_id == work.caller.subject
    if row is None or not (own or by_link or work.caller.has("admin", "operator")):
        raise UnknownOrder(order_id=order_id)
    lines = await lines_read.all()
    return OrderView.model_validate({**row._asdict(), "lines": [line._asdict() for line in lines]})


async def settled(view: OrderView, work: Work, last: bool) -> OrderView | None:
    """The order afresh once its saga has ended or waits for the customer, or at the last look; None before."""
    if last or await work.db.value(STATE, order_id=view.id) in SETTLED:
        return await read_order(work, view.id)
    return None
