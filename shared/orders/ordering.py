"""A customer's or a guest's order: priced at today's terms, its discounts used, then placed."""

from shared.orders.discount_uses import use
from shared.orders.placing import Placement, place
from shared.orders.pricing import Item, Wanted, price
from shared.orders.views import OrderView
from shared.orders.wanting import PlaceOrder
from shared.runtime import Work


async def order(work: Work, request: PlaceOrder, *, customer_id: str | None, user: str) -> OrderView:
    """`user` is whose uses of a discount are counted. Raises OrderRefused."""
    address = request.shipping_address
    wanted = Wanted(
        items=[Item(line.sku, line.quantity) for line in request.lines],
        codes=request.discount_codes,
        method=request.shipping_method,
        country=address.country if address else None,
        region=address.region if address else None,
        customer=user,
    )
    totals = await price(work, wanted)
    placement = Placement(
        payment_token=request.payment_token,
        customer_id=customer_id,
        placed_at=work.now,
        on_decline=request.on_decline,
        capture=totals.capture,
        email=request.email,
        shipping_address=address,
        billing_address=request.billing_address,
        country=wanted.country,
        guest=customer_id is None,
        shipping_method=request.shipping_method,
    )
    view = await place(work, totals, placement)
    if totals.discounts:
        await use(work, view.id, user, totals.discounts, request.discount_codes)
    return view
