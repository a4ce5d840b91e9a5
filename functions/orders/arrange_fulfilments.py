"""Arrange from where a confirmed order's goods leave; what is cancelled whole, does not (ORD-005, ORD-007)."""

from collections.abc import Sequence

from shared.inventory.tables import hold_lines
from shared.orders.arranging import arrange, call_off
from shared.orders.events import OrderCancelling, OrderConfirmed
from shared.orders.fulfilment_events import FulfilmentCancelled, FulfilmentCreated
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments
from shared.orders.tables import order_lines, orders
from shared.runtime import Work, on_event


@on_event(
    OrderConfirmed,
    OrderCancelling,
    reads=[hold_lines, order_lines],
    writes=[orders, fulfilments, fulfilment_lines],
    emits=[FulfilmentCreated, FulfilmentCancelled],
    together=64,
    patient=True,
)
async def arrange_fulfilments(events: Sequence[OrderConfirmed | OrderCancelling], work: Work) -> None:
    """One fulfilment for each location that inventory has allocated; goods that are not tracked have one of their own.

    Both events are one function's, so that they come in their order: what is cancelled is not arranged after all.
    """
    await arrange(work, [event for event in events if isinstance(event, OrderConfirmed)])
    await call_off(work, [event for event in events if isinstance(event, OrderCancelling)])
