"""Record an order that was agreed elsewhere, at its own prices and time, through the whole saga (ORD-013)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.inventory.events import HoldStock
from shared.orders.events import OrderCreated
from shared.orders.placing import Priced, place
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, settled
from shared.runtime import Request, Work, http
from shared.vocabulary import BOOKS_DAYS, Currency, Line, Minor, Moment, Quantity, Sku


class RecordedLine(BaseModel):
    """Lines of one SKU stay apart; `unit_price_minor` may be 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    title: Line
    quantity: Quantity
    unit_price_minor: Minor


class RecordOrder(Request):
    """`reference` is the order's name in the other system; without a `customer_id` it is a guest's."""

    reference: Annotated[str, Field(min_length=1, max_length=100)]
    customer_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    placed_at: Moment
    currency: Currency
    lines: Annotated[list[RecordedLine], Field(min_length=1, max_length=2000)]
    payment_token: Annotated[str, Field(min_length=1, max_length=200, examples=["tok_approve"])]


@http(
    "POST /v1/admin/orders",
    status=201,
    role="admin",
    idempotent=True,
    key_days=BOOKS_DAYS,
    wait=settled,
    writes=[orders, order_lines, sagas, saga_moves],
    emits=[OrderCreated, HoldStock],
)
async def record_order(request: RecordOrder, work: Work) -> OrderView:
    """The catalogue is not asked; a SKU that inventory does not know ends the order as out of stock."""
    return await place(
        work,
        [Priced(**line.__dict__) for line in request.lines],
        currency=request.currency,
        payment_token=request.payment_token,
        customer_id=request.customer_id,
        placed_at=request.placed_at,
        reference=request.reference,
        recorded=True,
    )
