"""List the published products by SKU, in keyset pages (PROD-003)."""

from typing import Annotated

from sqlalchemy import bindparam, select

from shared.catalog.products import Product
from shared.catalog.tables import products
from shared.runtime import Page, Paged, Work, http, key_of

PAGE = (
    select(products.c.sku, products.c.document)
    .where(products.c.status == "published", products.c.sku > bindparam("after"))
    .order_by(products.c.sku)
    .limit(bindparam("count"))
)


class ListProducts(Paged):
    pass


@http("GET /v1/products", role="public", cache_s=5, reads=[products], warm=True)
async def list_products(request: ListProducts, work: Work) -> Page[Annotated[bytes, Product]]:
    (after,) = key_of(request.cursor, str) or ("",)
    rows = await work.db.all(PAGE, after=after, count=request.limit + 1)
    shown = rows[: request.limit]
    return Page(
        [row.document for row in shown],
        (shown[-1].sku,) if len(rows) > request.limit else None,
    )
