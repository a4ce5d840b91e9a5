"""Show a guest the order that a link is of (ORD-003)."""

from shared.orders.links import LinkToken, verify
from shared.orders.pricing_tables import link_keys
from shared.orders.tables import order_lines, orders, sagas
from shared.orders.views import OrderView, read_order
from shared.runtime import Rate, Request, Work, http


class GetGuestOrder(Request):
    token: LinkToken


@http(
    "GET /v1/guest-orders/{token}",
    role="public",
    rate=Rate(per_s=5, burst=50),
    reads=[orders, order_lines, sagas, link_keys],
)
async def get_guest_order(request: GetGuestOrder, work: Work) -> OrderView:
    """Raises InvalidLink for one that was made up, altered, or is over."""
    return await read_order(work, await verify(work, request.token), by_link=True)
