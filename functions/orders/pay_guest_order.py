"""Pay a guest's order that waits, with another card, by its link (ORD-009)."""

from shared.inventory.events import ExtendHold
from shared.orders.customers_word import lock_order, pay_anew
from shared.orders.events import OrderCardChanged
from shared.orders.links import LinkToken, verify
from shared.orders.pricing_tables import link_keys
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, read_order
from shared.orders.wanting import PaymentToken
from shared.payments.events import AuthorizePayment
from shared.runtime import Rate, Request, Work, http


class PayGuestOrder(Request):
    token: LinkToken
    payment_token: PaymentToken


@http(
    "POST /v1/guest-orders/{token}/pay",
    status=202,
    role="public",
    idempotent=True,
    rate=Rate(per_s=1, burst=20),
    reads=[order_lines, link_keys],
    writes=[orders, sagas, saga_moves],
    emits=[OrderCardChanged, AuthorizePayment, ExtendHold],
)
async def pay_guest_order(request: PayGuestOrder, work: Work) -> OrderView:
    """As a customer pays anew. Raises InvalidLink; CannotPay unless it waits for its customer; TooManyCards."""
    locked, at = await lock_order(work, await verify(work, request.token), by_link=True)
    await pay_anew(work, locked, at, request.payment_token)
    return await read_order(work, at.order_id, by_link=True)
