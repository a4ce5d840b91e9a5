"""Show what the inventory says of a SKU's stock (PROD-010, PROD-011)."""

from sqlalchemy import text

from shared.catalog.listings import restock
from shared.catalog.tables import SOURCES, listings, search_entries, stock
from shared.inventory.events import StockAdjusted, StockDepleted, StockLow, StockReplenished
from shared.runtime import Work, on_event

# No row comes back where what is known is newer.
TRACK = text("""
insert into catalog.stock as s (sku, status, sequence, as_of)
values (:sku, coalesce(:status, 'out_of_stock'), :sequence, :as_of)
on conflict (sku) do update
  set status = coalesce(:status, s.status), sequence = excluded.sequence, as_of = excluded.as_of
  where s.sequence < excluded.sequence
returning product_id
""")


@on_event(
    StockAdjusted,
    StockLow,
    StockDepleted,
    StockReplenished,
    reads=SOURCES,
    writes=[stock, listings, search_entries],
    warm=True,
)
async def track_stock(event: StockAdjusted | StockLow | StockDepleted | StockReplenished, work: Work) -> None:
    """Each event is a snapshot: whatever the order in which they come, the newest is what is shown.

    Adjustments by earlier versions tell no status; they are heeded for their place in the stream alone.
    """
    at = work.cause.at or work.now
    row = await work.db.one(TRACK, sku=event.sku, status=event.status, sequence=work.cause.sequence, as_of=at)
    if row is not None and row.product_id is not None:
        await restock(work, [row.product_id])
