"""Place an order without an account; a signed link shows it later (ORD-001)."""

from datetime import datetime

from shared.catalog.tables import categories, products, variants
from shared.inventory.events import HoldStock
from shared.orders.events import OrderCreated
from shared.orders.links import pseudonym, sign
from shared.orders.ordering import order
from shared.orders.pricing_tables import TERMS, discount_customers, discount_uses, discounts, link_keys
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import SETTLED, STATE, OrderView, read_order
from shared.orders.wanting import PlaceGuestOrder
from shared.runtime import Rate, Work, http


class GuestOrderView(OrderView):
    """`link_token` is for `/v1/guest-orders/{token}`: whoever has it may see, pay and cancel the order."""

    link_token: str
    link_expires_at: datetime


async def settled_by_link(view: GuestOrderView, work: Work, last: bool) -> GuestOrderView | None:
    """The order afresh once its saga has ended or waits for the guest, or at the last look; None before."""
    if last or await work.db.value(STATE, order_id=view.id) in SETTLED:
        return _linked(await read_order(work, view.id, by_link=True), view.link_token, view.link_expires_at)
    return None


@http(
    "POST /v1/guest-orders",
    status=201,
    role="public",
    idempotent=True,
    wait=settled_by_link,
    rate=Rate(per_s=1, burst=20),
    reads=[products, variants, categories, link_keys, *TERMS],
    writes=[orders, order_lines, sagas, saga_moves, discounts, discount_customers, discount_uses],
    emits=[OrderCreated, HoldStock],
)
async def place_guest_order(request: PlaceGuestOrder, work: Work) -> GuestOrderView:
    """An Idempotency-Key of a guest is nobody's own: choose a random one. Raises OrderRefused, as place_order does."""
    view = await order(work, request, customer_id=None, user=await pseudonym(work, request.email))
    return _linked(view, *await sign(work, view.id))


def _linked(view: OrderView, token: str, expires_at: datetime) -> GuestOrderView:
    shown = {name: getattr(view, name) for name in OrderView.model_fields}
    return GuestOrderView.model_construct(**shown, link_token=token, link_expires_at=expires_at)
