"""Show how far an order is on its way: shipments with their tracking, units by line, refunds (ORD-003, ORD-005)."""

from uuid import UUID

from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refunds
from shared.orders.fulfilment_views import OrderFulfilment, read_order_fulfilment
from shared.orders.tables import order_lines, orders
from shared.runtime import Request, Work, http


class GetOrderFulfilment(Request):
    order_id: UUID


@http(
    "GET /v1/orders/{order_id}/fulfilment",
    role=("customer", "admin", "operator"),
    reads=[orders, order_lines, fulfilments, fulfilment_lines, refunds],
)
async def get_order_fulfilment(request: GetOrderFulfilment, work: Work) -> OrderFulfilment:
    """Raises UnknownOrder, also for somebody else's."""
    return await read_order_fulfilment(work, request.order_id)
