"""What is counted of the pricing of orders; each child is there as 0 from the start."""

from collections.abc import Iterable

from prometheus_client import Counter

from shared.orders import discounts, shipping

OTHER = (
    *("sku_unknown", "sku_no_longer_on_sale", "currencies_mixed", "total_too_large", "address_missing"),
    *("discount_too_large", "tax_too_large"),
)

REFUSED = Counter("shop_orders_refused", "Orders and quotes refused, by each reason that was given", ["code"])
DISCOUNTS = Counter("shop_orders_discounts", "Uses of discounts: taken, or given back", ["what"])

for _code in (*OTHER, *discounts.REFUSALS, *shipping.REFUSALS):
    REFUSED.labels(_code)
for _what in ("taken", "given_back"):
    DISCOUNTS.labels(_what)


def count_refused(codes: Iterable[str]) -> None:
    for code in codes:
        REFUSED.labels(code).inc()
