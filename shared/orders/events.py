"""What the orders domain says. Amounts are integer minor units of `currency`."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.runtime import Event


class OrderedLine(BaseModel):
    """`total_minor` is what is paid for the line: less its discounts, with its tax."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    total_minor: int
    product_id: UUID | None = None
    category_id: UUID | None = None
    discount_minor: int = 0
    tax_minor: int = 0


class OrderCreated(
    Event, type="shop.orders.order.created.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """`country` is where it goes, if that is known; the total is the lines' and what shipping costs."""

    order_id: UUID
    number: str
    reference: str | None
    customer_id: str | None
    placed_at: datetime
    currency: str
    total_minor: int
    lines: list[OrderedLine]
    country: str | None = None
    discount_minor: int = 0
    shipping_minor: int = 0
    tax_minor: int = 0


class OrderConfirmed(
    Event, type="shop.orders.order.confirmed.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    order_id: UUID
    currency: str
    total_minor: int


class OrderCompleted(
    Event, type="shop.orders.order.completed.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """Everything is shipped or cancelled, and all money that is due is captured."""

    order_id: UUID
    currency: str
    total_minor: int


class OrderAwaitingCustomer(
    Event,
    type="shop.orders.order.awaiting_customer.v1",
    topic="shop.orders",
    key="order_id",
    subject="order/{order_id}",
):
    """Nothing goes on until the customer acts at the provider, or pays with another card."""

    order_id: UUID
    reason: Literal["action_required", "payment_declined"]
    pay_by: datetime


class OrderCardChanged(
    Event, type="shop.orders.order.card_changed.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """The customer tries to pay anew; `attempt` counts from 1."""

    order_id: UUID
    attempt: int


class OrderExpired(
    Event, type="shop.orders.order.expired.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """It was not paid in time. No money and no stock is bound to it any more."""

    order_id: UUID
    reason: str


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


class SagaRetried(
    Event, type="shop.orders.saga.retried.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """An operator had the step tried again that had failed."""

    order_id: UUID
    state: str
    reason: str


class SagaSkipped(
    Event, type="shop.orders.saga.skipped.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """An operator did by hand what the step could not do."""

    order_id: UUID
    state: str
    reason: str
