"""Give back what an order that ended without a sale had used of discounts (ORD-004)."""

from collections.abc import Sequence

from shared.orders.discount_uses import give_back
from shared.orders.events import OrderCancelled, OrderExpired, OrderRejected
from shared.orders.pricing_tables import discount_customers, discount_uses, discounts
from shared.runtime import Work, on_event


@on_event(
    OrderRejected, OrderExpired, OrderCancelled, writes=[discounts, discount_customers, discount_uses], together=64
)
async def give_back_discounts(events: Sequence[OrderRejected | OrderExpired | OrderCancelled], work: Work) -> None:
    """An order that used none changes nothing."""
    await give_back(work, {event.order_id for event in events})
