"""Show one order to whom it belongs (ORD-003)."""

from uuid import UUID

from shared.orders.tables import order_lines, orders, sagas
from shared.orders.views import OrderView, read_order
from shared.runtime import Request, Work, http


class GetOrder(Request):
    order_id: UUID


@http(
    "GET /v1/orders/{order_id}", role=("customer", "admin", "operator"), reads=[orders, order_lines, sagas], warm=True
)
async def get_order(request: GetOrder, work: Work) -> OrderView:
    """Raises UnknownOrder, also for an order that is somebody else's."""
    return await read_order(work, request.order_id)
