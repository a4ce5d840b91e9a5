"""Say whether stock of a SKU is tracked, and how few are low: what is not tracked can always be held."""

from typing import Annotated

from pydantic import Field, StrictBool
from sqlalchemy import text

from shared.inventory.events import StockDepleted, StockLow, StockReplenished
from shared.inventory.levels import lock_sku
from shared.inventory.status import LOW_AT, tell
from shared.inventory.tables import items, locations, stock
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Sku

SET = text("""
insert into inventory.items as i (sku, tracked, low_at, updated_at) values (:sku, :tracked, :low_at, :now)
on conflict (sku) do update
  set tracked = excluded.tracked, low_at = excluded.low_at, updated_at = excluded.updated_at
  where (i.tracked, i.low_at) is distinct from (excluded.tracked, excluded.low_at)
""")

KEEP_LOW_AT = text("""
insert into inventory.items as i (sku, tracked, updated_at) values (:sku, :tracked, :now)
on conflict (sku) do update set tracked = excluded.tracked, updated_at = excluded.updated_at
  where i.tracked <> excluded.tracked
""")


class SetItemPolicy(Request):
    """What is left out stays as it is, or is the default for a new item. Without a `low_at` (null) it is the shop's."""

    sku: Sku
    tracked: StrictBool | None = None
    low_at: Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)] | None = None


class ItemPolicy(View):
    sku: str
    tracked: bool
    low_at: int


@http(
    "PUT /v1/items/{sku}",
    role="admin",
    reads=[locations],
    writes=[items, stock],  # stock is locked, not changed
    emits=[StockLow, StockDepleted, StockReplenished],
)
async def set_item_policy(request: SetItemPolicy, work: Work) -> ItemPolicy:
    """What is held already stays as it is."""
    before = await lock_sku(work, request.sku)
    tracked = before.tracked if request.tracked is None else request.tracked
    if "low_at" in request.model_fields_set:
        low_at = LOW_AT if request.low_at is None else request.low_at
        await work.db.send(SET, sku=request.sku, tracked=tracked, low_at=request.low_at, now=work.now)
    else:
        low_at = before.low_at
        await work.db.send(KEEP_LOW_AT, sku=request.sku, tracked=tracked, now=work.now)
    tell(work, before, before._replace(tracked=tracked, low_at=low_at))
    return ItemPolicy(sku=request.sku, tracked=tracked, low_at=low_at)
