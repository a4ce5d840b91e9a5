"""Orders as customers and operators read them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select

from shared.orders.events import OrderedLine
from shared.orders.problems import UnknownOrder
from shared.orders.saga import AWAITING_CUSTOMER, FINAL, Payment, Status
from shared.orders.tables import order_lines, orders, sagas
from shared.runtime import View, Work


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


class OrderView(OrderSummary):
    """`action_url` is where the customer has to act, while the order waits for that."""

    action_url: str | None = None
    lines: list[OrderedLine]


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

ORDER = SUMMARY.add_columns(sagas.c.action_url).where(orders.c.id == bindparam("order_id"))

LINES = (
    select(
        order_lines.c.line_no,
        order_lines.c.sku,
        order_lines.c.title,
        order_lines.c.quantity,
        order_lines.c.unit_price_minor,
        order_lines.c.total_minor,
    )
    .where(order_lines.c.order_id == bindparam("order_id"))
    .order_by(order_lines.c.line_no)
)

STATE = select(sagas.c.state).where(sagas.c.order_id == bindparam("order_id"))

SETTLED = FINAL | {AWAITING_CUSTOMER}


async def read_order(work: Work, order_id: UUID) -> OrderView:
    """The order, if the caller may see it: one's own, or any for admins and operators. Raises UnknownOrder."""
    row = await work.db.one(ORDER, order_id=order_id)
    if row is None or not (row.customer_id == work.caller.subject or work.caller.has("admin", "operator")):
        raise UnknownOrder(order_id=order_id)
    lines = await work.db.all(LINES, order_id=order_id)
    return OrderView.model_validate({**row._asdict(), "lines": [line._asdict() for line in lines]})


async def settled(view: OrderView, work: Work, last: bool) -> OrderView | None:
    """The order afresh once its saga has ended or waits for the customer, or at the last look; None before."""
    if last or await work.db.value(STATE, order_id=view.id) in SETTLED:
        return await read_order(work, view.id)
    return None
