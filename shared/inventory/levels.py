"""The level of a SKU at a location: the words for it, and the lock on one."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.inventory.items import Item, Level, lock_items
from shared.inventory.problems import UnknownLocation
from shared.runtime import View, Work


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be zero")
    return value


LocationId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._\-]{0,62}[A-Za-z0-9])?$", examples=["LON"])]
Units = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Delta = Annotated[int, Field(strict=True, ge=-1_000_000_000, le=1_000_000_000), AfterValidator(_not_zero)]
Threshold = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Note = Annotated[str, Field(max_length=2_000)]


class StockLevel(View):
    """`available` can be held; `shortfall` is what is promised and not there, beyond what may be back-ordered."""

    sku: str
    location: str
    on_hand: int
    held: int
    committed: int
    safety_stock: int
    backorder_limit: int
    available: int
    shortfall: int
    version: int


async def lock_level(work: Work, sku: str, location: str) -> tuple[Item, Level]:
    """Locks the SKU with all of its stock, and gives the level at the location, made at need.

    Raises UnknownLocation, also for one that is closed.
    """
    item = (await lock_items(work, [sku], [(sku, location)]))[sku]
    level = item.at(location)
    if level is None or not level.open:
        raise UnknownLocation(location=location)
    return item, level


def level_view(level: Level) -> StockLevel:
    return StockLevel.model_validate(level, from_attributes=True)
