"""Place an order at today's catalogue prices (ORD-001, ORD-002, ORD-004)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from shared.catalog.tables import products, variants
from shared.inventory.events import HoldStock
from shared.orders.events import OrderCreated
from shared.orders.placing import Priced, place
from shared.orders.problems import MixedCurrencies, UnknownSku
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, settled
from shared.runtime import Rate, Request, Work, http
from shared.vocabulary import Quantity, Sku

PRICES = text("""
select v.sku, p.title, v.price_minor, v.currency
from catalog.variants v join catalog.products p on p.id = v.product_id and p.status = 'published'
where v.sku = any(cast(:skus as text[]))
""")


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    quantity: Quantity


class PlaceOrder(Request):
    lines: Annotated[list[Line], Field(min_length=1, max_length=2000)]
    payment_token: Annotated[str, Field(min_length=1, max_length=200, examples=["tok_approve"])]


@http(
    "POST /v1/orders",
    status=201,
    role="customer",
    idempotent=True,
    wait=settled,
    rate=Rate(per_s=5, burst=50),
    reads=[products, variants],
    writes=[orders, order_lines, sagas, saga_moves],
    emits=[OrderCreated, HoldStock],
    warm=True,
)
async def place_order(request: PlaceOrder, work: Work) -> OrderView:
    """The total is in minor units of the products' currency. Raises UnknownSku, MixedCurrencies."""
    wanted = {line.sku for line in request.lines}
    prices = {row.sku: row for row in await work.db.all(PRICES, skus=list(wanted))}
    if unknown := wanted - prices.keys():
        raise UnknownSku(skus=sorted(unknown))
    currencies = sorted({row.currency for row in prices.values()})
    if len(currencies) > 1:
        raise MixedCurrencies(currencies=currencies)
    lines = [
        Priced(
            sku=line.sku,
            title=prices[line.sku].title,
            quantity=line.quantity,
            unit_price_minor=prices[line.sku].price_minor,
        )
        for line in request.lines
    ]
    return await place(
        work,
        lines,
        currency=currencies[0],
        payment_token=request.payment_token,
        customer_id=work.caller.subject,
        placed_at=work.now,
    )
