"""Place an order at today's prices, taxes, discounts and shipping (ORD-001, ORD-002, ORD-004)."""

from shared.catalog.tables import categories, products, variants
from shared.inventory.events import HoldStock
from shared.orders.events import OrderCreated
from shared.orders.ordering import order
from shared.orders.pricing_tables import TERMS, discount_customers, discount_uses, discounts
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, settled
from shared.orders.wanting import PlaceOrder
from shared.runtime import Rate, Work, http


@http(
    "POST /v1/orders",
    status=201,
    role="customer",
    idempotent=True,
    wait=settled,
    rate=Rate(per_s=5, burst=50),
    reads=[products, variants, categories, *TERMS],
    writes=[orders, order_lines, sagas, saga_moves, discounts, discount_customers, discount_uses],
    emits=[OrderCreated, HoldStock],
    warm=True,
)
async def place_order(request: PlaceOrder, work: Work) -> OrderView:
    """The total is in minor units of the products' currency. Raises OrderRefused with every reason why not."""
    return await order(work, request, customer_id=work.caller.subject, user=work.caller.subject)
