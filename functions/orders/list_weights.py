"""List what SKUs weigh, in keyset pages (ORD-004)."""

from sqlalchemy import text

from shared.orders.pricing_tables import sku_weights
from shared.runtime import Page, Paged, View, Work, http, key_of

PAGE = text("select sku, weight_g from orders.sku_weights where sku > :after order by sku limit :count")


class ListWeights(Paged):
    pass


class SkuWeight(View):
    sku: str
    weight_g: int


@http("GET /v1/admin/sku-weights", role="admin", reads=[sku_weights])
async def list_weights(request: ListWeights, work: Work) -> Page[SkuWeight]:
    (after,) = key_of(request.cursor, str) or ("",)
    rows = await work.db.all(PAGE, after=after, count=request.limit + 1)
    shown = [SkuWeight(**row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].sku,) if len(rows) > request.limit else None)
