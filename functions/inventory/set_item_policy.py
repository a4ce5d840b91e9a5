"""Say whether stock of a SKU is tracked: one that is not can always be held."""

from pydantic import StrictBool
from sqlalchemy import text

from shared.inventory.tables import items
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Sku

SET = text("""
insert into inventory.items as i (sku, tracked, updated_at) values (:sku, :tracked, :now)
on conflict (sku) do update set tracked = excluded.tracked, updated_at = excluded.updated_at
  where i.tracked <> excluded.tracked
""")


class SetItemPolicy(Request):
    sku: Sku
    tracked: StrictBool


class ItemPolicy(View):
    sku: str
    tracked: bool


@http("PUT /v1/items/{sku}", role="admin", writes=[items])
async def set_item_policy(request: SetItemPolicy, work: Work) -> ItemPolicy:
    """What is held already stays as it is."""
    await work.db.send(SET, sku=request.sku, tracked=request.tracked, now=work.now)
    return ItemPolicy(sku=request.sku, tracked=request.tracked)
