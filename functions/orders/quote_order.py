"""Say what an order would come to, without placing it (ORD-004)."""

from typing import Any

from shared.catalog.tables import categories, products, variants
from shared.orders.pricing import Item, Wanted, price
from shared.orders.pricing_tables import TERMS, discount_customers
from shared.orders.views import Amounts, OrderLine, ShippingOption
from shared.orders.wanting import QuoteOrder
from shared.runtime import Rate, Work, http


class Quote(Amounts):
    """`shipping_options` can be had for these goods and this country, before discounts on shipping.

    Without a shipping method the total is without shipping. A quote holds no stock and binds nobody.
    """

    currency: str
    total_minor: int
    shipping_method: str | None
    discount_codes: list[str]
    lines: list[OrderLine]
    shipping_options: list[ShippingOption]


@http(
    "POST /v1/quotes",
    role="public",
    rate=Rate(per_s=20, burst=100),
    reads=[products, variants, categories, discount_customers, *TERMS],
    warm=True,
)
async def quote_order(request: QuoteOrder, work: Work) -> Quote:
    """By the same reckoning as an order. Raises OrderRefused, also for a discount that is used up by now."""
    wanted = Wanted(
        items=[Item(line.sku, line.quantity) for line in request.lines],
        codes=request.discount_codes,
        method=request.shipping_method,
        country=request.country,
        region=request.region,
        binding=False,
    )
    totals = await price(work, wanted)
    amounts: dict[str, Any] = totals.amounts()
    return Quote.model_construct(
        currency=totals.currency,
        prices_include_tax=totals.prices_include_tax,
        shipping_method=request.shipping_method,
        discount_codes=request.discount_codes,
        lines=totals.lines,
        shipping_options=totals.options,
        **amounts,
    )
