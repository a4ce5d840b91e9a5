"""What the inventory domain is asked for by an order's saga, and what it answers.

An order has at most one hold, ever. Every command is answered each time that it comes, and an answer given once is
given again: sending a command again holds, commits or releases nothing again.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.runtime import Event

StockStatus = Literal["in_stock", "low", "backorder", "out_of_stock"]
"""What a shopper may be told of a SKU: `backorder` is not there, and can be ordered nevertheless."""


class HoldLine(BaseModel):
    """How much of a SKU; several lines may name the same SKU.

    A sum of an order's lines may be more than one line's limit.
    """

    model_config = ConfigDict(frozen=True)

    sku: str
    quantity: Annotated[int, Field(strict=True, ge=1, le=10**12)]


class AllocatedLine(BaseModel):
    """How much of a SKU is held at a location."""

    model_config = ConfigDict(frozen=True)

    sku: str
    location: str
    quantity: int


class HoldStock(
    Event,
    type="shop.inventory.hold.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Hold all lines or none. Answered by StockHeld or HoldRejected, or by HoldExpired if the hold is over by now."""

    order_id: UUID
    lines: list[HoldLine]
    expires_in_s: Annotated[int, Field(gt=0)]


class CommitHold(
    Event,
    type="shop.inventory.commit.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Keep what is held until it is released. Answered by HoldCommitted, or by HoldExpired if there is no live hold."""

    order_id: UUID


class ReleaseHold(
    Event,
    type="shop.inventory.release.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Give back what is held or committed, if anything, and hold nothing for this order any more: HoldReleased."""

    order_id: UUID


class StockHeld(
    Event,
    type="shop.inventory.hold.held.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """SKUs whose stock is not tracked are held without an allocation."""

    order_id: UUID
    expires_at: datetime
    allocations: tuple[AllocatedLine, ...] = ()


class HoldRejected(
    Event,
    type="shop.inventory.hold.rejected.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """`shortages` is what is missing, by SKU; it is empty when the order was released already."""

    order_id: UUID
    shortages: dict[str, int]
    reason: Literal["shortage", "released"] = "shortage"


class HoldCommitted(
    Event,
    type="shop.inventory.hold.committed.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """From now on the hold does not expire."""

    order_id: UUID


class HoldReleased(
    Event,
    type="shop.inventory.hold.released.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """Nothing is held for the order, and nothing will be."""

    order_id: UUID


class HoldExpired(
    Event,
    type="shop.inventory.hold.expired.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """There is no hold to commit: its time is over."""

    order_id: UUID


class StockAdjusted(
    Event,
    type="shop.inventory.stock.adjusted.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """The level of a SKU at a location since this ledger entry. `at` is when the goods moved.

    `status` is the SKU's, of which `sku_available` are available at all locations. Older events do not say.
    """

    sku: str
    location: str
    delta: int
    on_hand: int
    held: int
    committed: int
    available: int
    shortfall: int
    version: int
    ledger_id: int
    reason: str
    actor: str
    at: datetime
    sku_available: int | None = None
    status: StockStatus | None = None


class StockLow(
    Event,
    type="shop.inventory.stock.low.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """No more than `low_at` are left. `available` is what all locations have together."""

    sku: str
    status: StockStatus
    was: StockStatus
    available: int
    low_at: int


class StockDepleted(
    Event,
    type="shop.inventory.stock.depleted.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """Nothing is available any more at any location."""

    sku: str
    status: StockStatus
    was: StockStatus
    available: int
    low_at: int


class StockReplenished(
    Event,
    type="shop.inventory.stock.replenished.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """There is more than before: some where there was nothing, or enough where it was low.

    `available` is what all locations have together. A SKU that is not tracked is in stock whatever that is.
    """

    sku: str
    status: StockStatus
    was: StockStatus
    available: int
    low_at: int
