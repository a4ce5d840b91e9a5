"""What the orders domain says. Amounts are integer minor units of `currency`."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.runtime import Event


class OrderedLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    total_minor: int


class OrderCreated(
    Event, type="shop.orders.order.created.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    order_id: UUID
    number: str
    reference: str | None
    customer_id: str | None
    placed_at: datetime
    currency: str
    total_minor: int
    lines: list[OrderedLine]


class OrderConfirmed(
    Event, type="shop.orders.order.confirmed.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    order_id: UUID
    currency: str
    total_minor: int


class OrderCompleted(
    Event, type="shop.orders.order.completed.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """The money is captured."""

    order_id: UUID
    currency: str
    total_minor: int


class OrderRejected(
    Event, type="shop.orders.order.rejected.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    order_id: UUID
    reason: str


class OrderCancelling(
    Event, type="shop.orders.order.cancelling.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    order_id: UUID
    reason: str


class OrderCancelled(
    Event, type="shop.orders.order.cancelled.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """No money and no stock is bound to the order any more."""

    order_id: UUID
    reason: str


class SagaStuck(
    Event, type="shop.orders.saga.stuck.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """An operator is needed: the saga cannot go on by itself."""

    order_id: UUID
    state: str
    reason: str
