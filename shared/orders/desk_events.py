"""What those who look after orders do that others may want to know. Nothing personal is in events: they are kept."""

from uuid import UUID

from shared.runtime import Event


class OrderReviewStarted(
    Event, type="shop.orders.order.review_started.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """Nothing of it may be shipped until it is released."""

    order_id: UUID


class OrderReviewEnded(
    Event, type="shop.orders.order.review_ended.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    order_id: UUID


class OrderAddressChanged(
    Event, type="shop.orders.order.address_changed.v1", topic="shop.orders", key="order_id", subject="order/{order_id}"
):
    """Where it goes, to whom it is billed, or where its mail goes; who may know reads the order."""

    order_id: UUID
