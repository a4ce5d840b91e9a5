"""Show a fulfilment: what is picked where, and where its shipment is (ORD-005)."""

from uuid import UUID

from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments
from shared.orders.fulfilment_views import FulfilmentView, read_fulfilment
from shared.orders.tables import order_lines
from shared.runtime import Request, Work, http


class GetFulfilment(Request):
    fulfilment_id: UUID


@http(
    "GET /v1/admin/fulfilments/{fulfilment_id}",
    role=("admin", "operator"),
    reads=[fulfilments, fulfilment_lines, order_lines],
)
async def get_fulfilment(request: GetFulfilment, work: Work) -> FulfilmentView:
    """Raises UnknownFulfilment."""
    return await read_fulfilment(work, request.fulfilment_id)
