"""Record a recount of a SKU at a location (INV-001)."""

from shared.inventory.ledger import LEDGER_EVENTS, Change, Reason, book
from shared.inventory.levels import LocationId, Note, StockLevel, Units, level_view, lock_level
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock
from shared.runtime import Request, Work, http
from shared.vocabulary import Sku


class SetStockLevel(Request):
    sku: Sku
    location: LocationId
    on_hand: Units
    reason: Reason = "recount"
    note: Note | None = None


@http(
    "PUT /v1/stock/{sku}/{location}",
    role="admin",
    reads=[locations, holds, hold_lines],
    writes=[items, stock, ledger],
    emits=LEDGER_EVENTS,
)
async def set_stock_level(request: SetStockLevel, work: Work) -> StockLevel:
    """What was counted is true, even if more than that is promised: the rest is a shortfall. Raises UnknownLocation.

    The same level again makes no ledger entry.
    """
    item, level = await lock_level(work, request.sku, request.location)
    if delta := request.on_hand - level.on_hand:
        await book(work, {item.sku: item}, [Change(level, delta, request.reason, note=request.note)])
    return level_view(level)
