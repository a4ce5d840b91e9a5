"""Record a recount of a SKU at a location."""

from shared.inventory.events import StockAdjusted
from shared.inventory.levels import LocationId, Note, OnHand, StockLevel, enter, level_of, lock_level
from shared.inventory.tables import ledger, locations, stock
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
    reads=[locations],
    writes=[stock, ledger],
    emits=[StockAdjusted],
)
async def set_stock_level(request: SetStockLevel, work: Work) -> StockLevel:
    """What was counted is true, even if more than that is promised: the rest is a shortfall. Raises UnknownLocation.

    The same level again makes no ledger entry.
    """
    before = await lock_level(work, request.sku, request.location)
    delta = request.on_hand - before.on_hand
    if delta == 0:
        return level_of(before)
    level, _ = await enter(work, before, delta, reason=request.reason, note=request.note, at=work.now)
    return level
