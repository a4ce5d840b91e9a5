"""What the orders domain says of goods on their way to the customer. Every event tells the fulfilment as it then is."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.runtime import Event


class FulfilledLine(BaseModel):
    """So many units of an order's line; what was cancelled of them is not among them any more."""

    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    quantity: int


class OfFulfilment(BaseModel):
    """`location` is where the goods are picked; none, for goods whose stock is not tracked."""

    order_id: UUID
    fulfilment_id: UUID
    location: str | None
    lines: list[FulfilledLine]
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None


class FulfilmentCreated(
    OfFulfilment,
    Event,
    type="shop.orders.fulfilment.created.v1",
    topic="shop.fulfilments",
    key="order_id",
    subject="fulfilment/{fulfilment_id}",
):
    """These goods may be picked."""


class FulfilmentShipped(
    OfFulfilment,
    Event,
    type="shop.orders.fulfilment.shipped.v1",
    topic="shop.fulfilments",
    key="order_id",
    subject="fulfilment/{fulfilment_id}",
):
    """These goods have left."""


class FulfilmentDelivered(
    OfFulfilment,
    Event,
    type="shop.orders.fulfilment.delivered.v1",
    topic="shop.fulfilments",
    key="order_id",
    subject="fulfilment/{fulfilment_id}",
):
    """These goods have arrived."""


class FulfilmentCancelled(
    OfFulfilment,
    Event,
    type="shop.orders.fulfilment.cancelled.v1",
    topic="shop.fulfilments",
    key="order_id",
    subject="fulfilment/{fulfilment_id}",
):
    """Nothing of it leaves: `lines` is what would have."""


class FulfilmentReturned(
    OfFulfilment,
    Event,
    type="shop.orders.fulfilment.returned.v1",
    topic="shop.fulfilments",
    key="order_id",
    subject="fulfilment/{fulfilment_id}",
):
    """All that had left has come back."""
