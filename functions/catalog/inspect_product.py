"""Show a product to its keepers, on sale or not (PROD-004)."""

from shared.catalog.content import Product, ProductName
from shared.catalog.problems import UnknownProduct
from shared.catalog.products import BY_NAME, product_of
from shared.catalog.tables import products, variants
from shared.runtime import Request, Work, http


class InspectProduct(Request):
    product: ProductName


@http("GET /v1/admin/products/{product}", role="admin", reads=[products, variants])
async def inspect_product(request: InspectProduct, work: Work) -> Product:
    """Called by its id, a SKU or its slug. Raises UnknownProduct."""
    row = await work.db.one(BY_NAME, product=request.product)
    if row is None:
        raise UnknownProduct(product=request.product)
    return product_of(row)
