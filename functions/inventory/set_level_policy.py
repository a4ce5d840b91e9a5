"""Say what of a SKU's stock at a location is not sold, may be sold beyond it, or is low (INV-005, INV-009)."""

from sqlalchemy import text

from shared.inventory.levels import LocationId, StockLevel, Threshold, Units, level_view, lock_level
from shared.inventory.status import STATUS_EVENTS, tell
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Request, Work, http
from shared.vocabulary import Sku

SET = text("""
update inventory.stock
set safety_stock = :safety_stock, backorder_limit = :backorder_limit, low_at = cast(:low_at as int),
  status = case when cast(:low_at as int) is null then 'out_of_stock' else status end,
  shortfall = greatest(0, held + committed - on_hand - :backorder_limit),
  version = version + 1, policy_at = :now
where sku = :sku and location = :location
""")


class SetLevelPolicy(Request):
    """What is left out stays as it is.

    `safety_stock` is not sold. Up to `backorder_limit` units may be promised beyond what is there: back-orders, which
    ship once goods have come. With a `low_at` the location tells when it is low by itself; without one (null), not.
    """

    sku: Sku
    location: LocationId
    safety_stock: Units | None = None
    backorder_limit: Units | None = None
    low_at: Threshold | None = None


@http(
    "PUT /v1/stock/{sku}/{location}/policy",
    role="admin",
    reads=[locations, holds, hold_lines],
    writes=[items, stock],
    emits=STATUS_EVENTS,
)
async def set_level_policy(request: SetLevelPolicy, work: Work) -> StockLevel:
    """What is promised already stays promised: a lower limit than what waits makes a shortfall of the rest.

    Raises UnknownLocation.
    """
    item, level = await lock_level(work, request.sku, request.location)
    if request.safety_stock is not None:
        level.safety_stock = request.safety_stock
    if request.backorder_limit is not None:
        level.backorder_limit = request.backorder_limit
    if "low_at" in request.model_fields_set:
        level.low_at = request.low_at
        level.status = "out_of_stock" if request.low_at is None else level.status
    level.version += 1
    await work.db.send(
        SET,
        sku=level.sku,
        location=level.location,
        safety_stock=level.safety_stock,
        backorder_limit=level.backorder_limit,
        low_at=level.low_at,
        now=work.now,
    )
    await tell(work, [item])
    return level_view(level)
