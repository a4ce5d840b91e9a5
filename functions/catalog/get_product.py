"""Show one published product (PROD-004)."""

from typing import Annotated

from sqlalchemy import bindparam, select

from shared.catalog.problems import UnknownProduct
from shared.catalog.products import Product
from shared.catalog.tables import products
from shared.runtime import Document, Request, Work, http
from shared.vocabulary import Sku

DOCUMENT = select(products.c.document, products.c.version).where(
    products.c.sku == bindparam("sku"), products.c.status == "published"
)


class GetProduct(Request):
    sku: Sku


@http("GET /v1/products/{sku}", role="public", cache_s=5, reads=[products], warm=True)
async def get_product(request: GetProduct, work: Work) -> Annotated[Document, Product]:
    """Gives what was rendered when it was written. Raises UnknownProduct, also for one that is not published."""
    row = await work.db.one(DOCUMENT, sku=request.sku)
    if row is None:
        raise UnknownProduct(sku=request.sku)
    return Document(row.document, row.version)
