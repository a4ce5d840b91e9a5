"""Record a recount of a SKU at a location."""

from shared.inventory.events import StockAdjusted, StockDepleted, StockLow, StockReplenished
from shared.inventory.levels import LocationId, Note, OnHand, StockLevel, enter, level_of, lock_level
from shared.inventory.tables import items, ledger, locations, stock
from shared.runtime import Request, Work, http
from shared.vocabulary import Line, Sku


class SetStockLevel(Request):
    sku: Sku
    location: LocationId
    on_hand: OnHand
    reason: Line
    note: Note | None = None


@http(
    "PUT /v1/stock/{sku}/{location}",
    role="admin",
    reads=[items, locations],
    writes=[stock, ledger],
    emits=[StockAdjusted, StockLow, StockDepleted, StockReplenished],
)
async def set_stock_level(request: SetStockLevel, work: Work) -> StockLevel:
    """What was counted is true, even if more than that is promised: the rest is a shortfall. Raises UnknownLocation.

    The same level again makes no ledger entry.
    """
    before, standing = await lock_level(work, request.sku, request.location)
    delta = request.on_hand - before.on_hand
    if delta == 0:
        return level_of(before)
    level, _ = await enter(work, before, standing, delta, reason=request.reason, note=request.note, at=work.now)
    return level
