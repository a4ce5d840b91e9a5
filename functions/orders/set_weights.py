"""Say what SKUs weigh, for shipping by weight (ORD-004)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.pricing_tables import sku_weights
from shared.orders.tables import audit
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Sku

KEEP = text("""
insert into orders.sku_weights (sku, weight_g, updated_at)
select sku, weight_g, :now from unnest(cast(:skus as text[]), cast(:weights as int[])) as w (sku, weight_g) order by sku
on conflict (sku) do update set weight_g = excluded.weight_g, updated_at = excluded.updated_at
""")
FORGET = text("delete from orders.sku_weights where sku = any(cast(:skus as text[]))")


class Weight(BaseModel):
    """In grams; null forgets it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    weight_g: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] | None


class SetWeights(Request):
    """Of a SKU that is named twice the last weight counts."""

    items: Annotated[list[Weight], Field(min_length=1, max_length=10_000)]


class WeightsSet(View):
    kept: int
    forgotten: int


@http("PUT /v1/admin/sku-weights", role="admin", writes=[sku_weights, audit])
async def set_weights(request: SetWeights, work: Work) -> WeightsSet:
    """For orders from now on. A SKU without a weight weighs nothing; those that are not named stay as they are."""
    said = {item.sku: item.weight_g for item in request.items}
    kept = {sku: weight for sku, weight in said.items() if weight is not None}
    forgotten = sorted(said.keys() - kept.keys())
    await work.db.send(KEEP, skus=list(kept), weights=list(kept.values()), now=work.now)
    await work.db.send(FORGET, skus=forgotten)
    await record(work, "sku_weights.set", kept=len(kept), forgotten=len(forgotten))
    return WeightsSet(kept=len(kept), forgotten=len(forgotten))
