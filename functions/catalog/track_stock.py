"""Show what the inventory says of a SKU's stock (PROD-010, PROD-011)."""

from typing import get_args

from sqlalchemy import text

from shared.catalog.listings import restock
from shared.catalog.tables import SOURCES, listings, search_entries, stock
from shared.inventory.events import (
    LevelDepleted,
    LevelLow,
    LevelReplenished,
    StockAdjusted,
    StockDepleted,
    StockLow,
    StockReceived,
    StockReplenished,
    StockShipped,
    StockShortfall,
    StockTransferred,
)
from shared.runtime import Work, on_event

OfTheSku = StockAdjusted | StockReceived | StockTransferred | StockShipped | StockLow | StockDepleted | StockReplenished
OfALocation = LevelLow | LevelDepleted | LevelReplenished | StockShortfall

# No row comes back where what is known is newer. How far the stream was followed is one thing, how new the status is
# another: an event that tells none must not make an earlier one stale that does.
TRACK = text("""
insert into catalog.stock as s (sku, status, sequence, status_sequence, as_of)
values (:sku, coalesce(:status, 'out_of_stock'), :sequence,
  case when cast(:status as text) is null then 0 else :sequence end, :as_of)
on conflict (sku) do update
  set status = case when excluded.status_sequence > s.status_sequence then excluded.status else s.status end,
    status_sequence = greatest(s.status_sequence, excluded.status_sequence),
    sequence = greatest(s.sequence, excluded.sequence),
    as_of = case when s.sequence < excluded.sequence then excluded.as_of else s.as_of end
  where s.sequence < excluded.sequence or s.status_sequence < excluded.status_sequence
returning product_id
""")


@on_event(
    *get_args(OfTheSku),
    *get_args(OfALocation),
    reads=SOURCES,
    writes=[stock, listings, search_entries],
    warm=True,
)
async def track_stock(event: OfTheSku | OfALocation, work: Work) -> None:
    """Each event is a snapshot: whatever the order in which they come, the newest is what is shown.

    Events of a location, and adjustments by earlier versions, tell no status of the SKU; they are heeded for their
    place in the stream alone.
    """
    at = work.cause.at or work.now
    status = None if isinstance(event, OfALocation) else event.status
    row = await work.db.one(TRACK, sku=event.sku, status=status, sequence=work.cause.sequence, as_of=at)
    if row is not None and row.product_id is not None:
        await restock(work, [row.product_id])
