"""Record an order that was agreed elsewhere, at its own prices and time, through the whole saga (ORD-013)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from shared.inventory.events import HoldStock
from shared.orders.audit import record
from shared.orders.events import OrderCreated
from shared.orders.placing import Placement, place
from shared.orders.pricing import Totals, refused
from shared.orders.problems import Fault
from shared.orders.tables import audit, order_lines, orders, saga_moves, sagas
from shared.orders.taxes import RatePpm, TaxClass
from shared.orders.totals import MOST_MINOR
from shared.orders.views import OrderLine, OrderView, settled
from shared.orders.wanting import Code, PaymentToken
from shared.runtime import Request, Work, http
from shared.vocabulary import BOOKS_DAYS, Country, Currency, Line, Minor, Moment, Quantity, Sku


class RecordedLine(BaseModel):
    """Lines of one SKU stay apart; `unit_price_minor` may be 0. Discount and tax are the whole line's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    title: Line
    quantity: Quantity
    unit_price_minor: Minor
    discount_minor: Minor = 0
    tax_minor: Minor = 0
    tax_rate_ppm: RatePpm = 0
    tax_class: TaxClass = "standard"


class RecordOrder(Request):
    """`reference` is the order's name in the other system; without a `customer_id` it is a guest's.

    `shipping_minor` is what is paid for shipping, its tax included. Nothing is reckoned anew.
    """

    reference: Annotated[str, Field(min_length=1, max_length=100)]
    customer_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    placed_at: Moment
    currency: Currency
    lines: Annotated[list[RecordedLine], Field(min_length=1, max_length=2000)]
    payment_token: PaymentToken
    country: Country | None = None
    prices_include_tax: StrictBool = True
    shipping_method: Code | None = None
    shipping_minor: Minor = 0
    shipping_tax_minor: Minor = 0
    capture: Literal["now", "at_shipment"] = "now"
    on_decline: Literal["reject", "wait"] = "reject"


@http(
    "POST /v1/admin/orders",
    status=201,
    role="admin",
    idempotent=True,
    key_days=BOOKS_DAYS,
    wait=settled,
    writes=[orders, order_lines, sagas, saga_moves, audit],
    emits=[OrderCreated, HoldStock],
)
async def record_order(request: RecordOrder, work: Work) -> OrderView:
    """The catalogue is not asked; a SKU that inventory does not know ends the order as out of stock.

    It keeps no address: its answer is kept for as long as the books are. Raises OrderRefused for sums that cannot be.
    """
    if faults := _faults(request):
        raise refused(faults)
    totals = Totals(
        currency=request.currency,
        prices_include_tax=request.prices_include_tax,
        lines=[_line(n, line, request.prices_include_tax) for n, line in enumerate(request.lines, 1)],
        shipping_minor=request.shipping_minor,
        shipping_tax_minor=request.shipping_tax_minor,
    )
    placement = Placement(
        payment_token=request.payment_token,
        customer_id=request.customer_id,
        placed_at=request.placed_at,
        on_decline=request.on_decline,
        capture=request.capture,
        country=request.country,
        guest=request.customer_id is None,
        shipping_method=request.shipping_method,
        reference=request.reference,
        recorded=True,
    )
    view = await place(work, totals, placement)
    await record(work, "order.recorded", view.id, reference=request.reference)
    return view


def _line(n: int, line: RecordedLine, included: bool) -> OrderLine:
    paid = line.quantity * line.unit_price_minor - line.discount_minor
    return OrderLine(line_no=n, total_minor=paid if included else paid + line.tax_minor, **line.__dict__)


def _faults(request: RecordOrder) -> list[Fault]:
    faults, whole = [], request.shipping_minor
    for n, line in enumerate(request.lines):
        full = line.quantity * line.unit_price_minor
        whole += full + line.tax_minor
        if line.discount_minor > full:
            faults.append(Fault(f"/lines/{n}/discount_minor", "discount_too_large", "More than the line costs."))
        elif request.prices_include_tax and line.tax_minor > full - line.discount_minor:
            faults.append(Fault(f"/lines/{n}/tax_minor", "tax_too_large", "More than is paid for the line."))
    if request.shipping_tax_minor > request.shipping_minor:
        faults.append(Fault("/shipping_tax_minor", "tax_too_large", "More than is paid for the shipping."))
    if whole > MOST_MINOR:
        detail = f"An order comes to {MOST_MINOR} minor units at the most."
        faults.append(Fault("/lines", "total_too_large", detail))
    return faults
