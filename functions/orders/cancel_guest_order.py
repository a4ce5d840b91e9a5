"""Cancel a guest's order by its link (ORD-007)."""

from typing import Annotated

from pydantic import Field

from shared.inventory.events import ReleaseHold
from shared.orders.customers_word import cancel, lock_order
from shared.orders.events import OrderCancelling
from shared.orders.links import LinkToken, verify
from shared.orders.pricing_tables import link_keys
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.orders.views import OrderView, read_order
from shared.payments.events import RefundPayment, VoidPayment
from shared.runtime import Rate, Request, Work, http
from shared.vocabulary import Line


class CancelGuestOrder(Request):
    token: LinkToken
    reason: Annotated[Line, Field(examples=["changed my mind"])]


@http(
    "POST /v1/guest-orders/{token}/cancel",
    status=202,
    role="public",
    idempotent=True,
    rate=Rate(per_s=1, burst=20),
    reads=[order_lines, link_keys],
    writes=[orders, sagas, saga_moves],
    emits=[OrderCancelling, VoidPayment, RefundPayment, ReleaseHold],
)
async def cancel_guest_order(request: CancelGuestOrder, work: Work) -> OrderView:
    """Raises InvalidLink; CannotCancel when it has ended, is ending, or goods have left or came back."""
    locked, at = await lock_order(work, await verify(work, request.token), by_link=True)
    await cancel(work, locked, at, request.reason)
    return await read_order(work, at.order_id, by_link=True)
