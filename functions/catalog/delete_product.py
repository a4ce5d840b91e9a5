"""Delete a product that is not on sale (PROD-002)."""

from sqlalchemy import text

from shared.catalog.content import ProductName
from shared.catalog.events import ProductDeleted
from shared.catalog.problems import ProductIsPublished
from shared.catalog.products import find_to_change
from shared.catalog.tables import products, variants
from shared.runtime import Request, Work, http

DELETE = text("delete from catalog.products where id = :id")


class DeleteProduct(Request):
    product: ProductName
    expected_version: int


@http(
    "DELETE /v1/products/{product}",
    role="admin",
    status=204,
    if_match=True,
    reads=[variants],
    writes=[products],
    emits=[ProductDeleted],
)
async def delete_product(request: DeleteProduct, work: Work) -> None:
    """Its SKUs and its slug are free again; orders keep their own copy.

    Raises UnknownProduct, StaleVersion, ProductIsPublished.
    """
    product = await find_to_change(work, request.product, request.expected_version)
    if product.status == "published":
        raise ProductIsPublished(product=request.product)
    await work.db.send(DELETE, id=product.id)
    work.emit(ProductDeleted.model_validate(product.model_dump()))
