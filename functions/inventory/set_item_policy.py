"""Say whether stock of a SKU is tracked, so that it can run out, and how few are low (INV-005, INV-009)."""

from pydantic import StrictBool
from sqlalchemy import text

from shared.inventory.items import LOW_AT, lock_items
from shared.inventory.levels import Threshold
from shared.inventory.status import STATUS_EVENTS, tell
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Sku

SET = text("""
update inventory.items
set tracked = :tracked, low_at = case when :low_at_said then :low_at else low_at end, updated_at = :now,
  policy_at = :now
where sku = :sku
""")


class SetItemPolicy(Request):
    """What is left out stays as it is, or is the default for a new item. Without a `low_at` (null) it is the shop's."""

    sku: Sku
    tracked: StrictBool | None = None
    low_at: Threshold | None = None


class ItemPolicy(View):
    sku: str
    tracked: bool
    low_at: int


@http(
    "PUT /v1/items/{sku}",
    role="admin",
    reads=[locations, holds, hold_lines],
    writes=[items, stock],
    emits=STATUS_EVENTS,
)
async def set_item_policy(request: SetItemPolicy, work: Work) -> ItemPolicy:
    """What is held already stays as it is."""
    item = (await lock_items(work, [request.sku]))[request.sku]
    said = "low_at" in request.model_fields_set
    if request.tracked is not None:
        item.tracked = request.tracked
    if said:
        item.low_at = LOW_AT if request.low_at is None else request.low_at
    await work.db.send(SET, sku=item.sku, tracked=item.tracked, low_at_said=said, low_at=request.low_at, now=work.now)
    await tell(work, [item])
    return ItemPolicy(sku=item.sku, tracked=item.tracked, low_at=item.low_at)
