"""Count orders and refunds in the figures of sales (ORD-014)."""

from collections.abc import Sequence

from shared.orders.events import OrderCancelled, OrderCompleted, OrderConfirmed, OrderExpired, OrderRejected
from shared.orders.figures import count
from shared.orders.figures_tables import FIGURES, SOURCES
from shared.payments.events import RefundSucceeded
from shared.runtime import Work, on_event

Counted = OrderConfirmed | OrderRejected | OrderExpired | OrderCancelled | OrderCompleted | RefundSucceeded


@on_event(
    OrderConfirmed,
    OrderRejected,
    OrderExpired,
    OrderCancelled,
    OrderCompleted,
    RefundSucceeded,
    reads=SOURCES,
    writes=FIGURES,
    together=64,
    patient=True,
)
async def count_figures(events: Sequence[Counted], work: Work) -> None:
    """The event says which order to look at; what is counted is what the books say."""
    await count(work, {event.order_id for event in events})
