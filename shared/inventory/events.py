"""What the inventory domain is asked for by an order's saga, and what it answers.

An order has at most one hold, ever. Every command is answered each time that it comes, and an answer given once is
given again: sending a command again holds, commits or releases nothing again.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.runtime import Event
from shared.vocabulary import Sku

StockStatus = Literal["in_stock", "low", "backorder", "out_of_stock"]
"""What a shopper may be told of a SKU: `backorder` is not there, and can be ordered nevertheless."""


AllocationRule = Literal["priority", "most_stock", "fewest_splits"]
"""Which locations give what an order needs: the first ones, the fullest ones, or as few as can be."""


class HoldLine(BaseModel):
    """How much of a SKU; several lines may name the same SKU.

    A sum of an order's lines may be more than one line's limit.
    """

    model_config = ConfigDict(frozen=True)

    sku: Sku
    quantity: Annotated[int, Field(strict=True, ge=1, le=10**12)]


class AllocatedLine(BaseModel):
    """How much of a SKU is held at a location; `backordered` of it was not there when it was promised."""

    model_config = ConfigDict(frozen=True)

    sku: str
    location: str
    quantity: int
    backordered: int = 0


class PartLine(BaseModel):
    """How much of what is held at a location. Without a location it is taken wherever some is held."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    location: str | None = None
    quantity: Annotated[int, Field(strict=True, ge=1, le=10**12)]


class HoldStock(
    Event,
    type="shop.inventory.hold.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Hold all lines or none. Answered by StockHeld or HoldRejected, or by HoldExpired if the hold is over by now.

    With `partial` what is possible is held, and refused is only an order that can have nothing. `allocation` is the
    rule for this order instead of the shop's. Only locations that ship to the country `ship_to` are asked (ISO 3166-1
    alpha-2); all, without one.
    """

    order_id: UUID
    lines: list[HoldLine]
    expires_in_s: Annotated[int, Field(gt=0, le=30 * 86_400)]
    partial: bool = False
    allocation: AllocationRule | None = None
    ship_to: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class ExtendHold(
    Event,
    type="shop.inventory.extend.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Hold for at least this long from now, never shorter than before.

    Answered by HoldExtended, by HoldCommitted where nothing expires any more, or by HoldExpired.
    """

    order_id: UUID
    expires_in_s: Annotated[int, Field(gt=0, le=30 * 86_400)]


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


class ReleasePart(
    Event,
    type="shop.inventory.release_part.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Give back a part of what is held or committed, once for each `part_id`.

    What is not open any more cannot be given back: HoldPartReleased says what was.
    """

    order_id: UUID
    part_id: UUID
    lines: Annotated[list[PartLine], Field(min_length=1)]


class ShipHold(
    Event,
    type="shop.inventory.ship.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Goods leave for the order, once for each `part_id`: all that is open, or these lines.

    Answered by HoldShipped or, where not all of it can leave, by ShipmentRefused, and then nothing leaves.
    """

    order_id: UUID
    part_id: UUID
    lines: Annotated[list[PartLine], Field(min_length=1)] | None = None


class RestockGoods(
    Event,
    type="shop.inventory.restock.v1",
    topic="shop.inventory.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Goods that had left for the order are back at a location, and may be sold again; once for each `part_id`.

    Answered by GoodsRestocked, or by RestockRefused if the location takes no goods.
    """

    order_id: UUID
    part_id: UUID
    location: str
    lines: Annotated[list[HoldLine], Field(min_length=1)]
    reason: str


class StockHeld(
    Event,
    type="shop.inventory.hold.held.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """SKUs whose stock is not tracked are held without an allocation. `shortages` is what a partial hold lacks."""

    order_id: UUID
    expires_at: datetime
    allocations: tuple[AllocatedLine, ...] = ()
    shortages: dict[str, int] = Field(default_factory=dict)


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


class HoldExtended(
    Event,
    type="shop.inventory.hold.extended.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """The hold lives until `expires_at`."""

    order_id: UUID
    expires_at: datetime


class HoldShipped(
    Event,
    type="shop.inventory.hold.shipped.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """These goods have left for the order. `complete` when nothing more is to come."""

    order_id: UUID
    part_id: UUID
    lines: tuple[AllocatedLine, ...]
    complete: bool


class ShipmentRefused(
    Event,
    type="shop.inventory.hold.shipment_refused.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """Nothing has left: the hold is not committed, or by SKU so much is not open any more or not on hand."""

    order_id: UUID
    part_id: UUID
    reason: Literal["not_committed", "not_open", "not_on_hand"]
    missing: dict[str, int]


class HoldPartReleased(
    Event,
    type="shop.inventory.hold.part_released.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """These lines were given back. `complete` when nothing is held for the order any more."""

    order_id: UUID
    part_id: UUID
    lines: tuple[AllocatedLine, ...]
    complete: bool


class GoodsRestocked(
    Event,
    type="shop.inventory.hold.restocked.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """These goods are on hand again. SKUs whose stock is not tracked are not among them."""

    order_id: UUID
    part_id: UUID
    lines: tuple[AllocatedLine, ...]


class RestockRefused(
    Event,
    type="shop.inventory.hold.restock_refused.v1",
    topic="shop.holds",
    key="order_id",
    subject="hold/{order_id}",
):
    """Nothing was booked: the location is closed or unknown, or the order never had a hold."""

    order_id: UUID
    part_id: UUID
    reason: Literal["location_closed", "no_hold"]


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


class LevelChanged(BaseModel):
    """The level of a SKU at a location since a ledger entry. `at` is when the goods moved.

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
    order_id: UUID | None = None
    transfer: UUID | None = None


class StockAdjusted(
    LevelChanged,
    Event,
    type="shop.inventory.stock.adjusted.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """The level was counted or corrected."""


class StockReceived(
    LevelChanged,
    Event,
    type="shop.inventory.stock.received.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """Goods came from a supplier or came back from a customer."""


class StockTransferred(
    LevelChanged,
    Event,
    type="shop.inventory.stock.transferred.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """Goods left for another location, or came from one; `transfer` says which transfer it was."""


class StockShipped(
    LevelChanged,
    Event,
    type="shop.inventory.stock.shipped.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """Goods left for the order `order_id`."""


class Crossing(BaseModel):
    """The status now and before; `available` is what there is, `low_at` the threshold."""

    sku: str
    status: StockStatus
    was: StockStatus
    available: int
    low_at: int


class StockLow(
    Crossing,
    Event,
    type="shop.inventory.stock.low.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """No more than `low_at` are left. `available` is what all locations have together."""


class StockDepleted(
    Crossing,
    Event,
    type="shop.inventory.stock.depleted.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """Nothing is available any more at any location. With the status `backorder` it can be ordered nevertheless."""


class StockReplenished(
    Crossing,
    Event,
    type="shop.inventory.stock.replenished.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """There is more than before: some where there was nothing, or enough where it was low.

    `available` is what all locations have together. A SKU that is not tracked is in stock whatever that is.
    """


class CrossingAt(Crossing):
    """Of a location that has a threshold of its own."""

    location: str


class LevelLow(
    CrossingAt,
    Event,
    type="shop.inventory.level.low.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """No more than `low_at` are left at the location."""


class LevelDepleted(
    CrossingAt,
    Event,
    type="shop.inventory.level.depleted.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """Nothing is available any more at the location."""


class LevelReplenished(
    CrossingAt,
    Event,
    type="shop.inventory.level.replenished.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """There is more than before at the location."""


class StockShortfall(
    Event,
    type="shop.inventory.stock.shortfall.v1",
    topic="shop.stock",
    key="sku",
    subject="stock/{sku}",
):
    """So much is promised at the location and not there; 0 when that is made good.

    `orders` are those that must wait, 100 at most: unpaid ones before paid ones, and of these the newest.
    """

    sku: str
    location: str
    shortfall: int
    orders: tuple[UUID, ...] = ()
