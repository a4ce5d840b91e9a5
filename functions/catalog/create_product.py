"""Create a product with its variants (PROD-001)."""

from shared.catalog.content import (
    Content,
    Product,
    created,
    news_of,
)
from shared.catalog.events import ProductCreated, ProductPublished
from shared.catalog.products import category_id_of, keep
from shared.catalog.tables import DERIVED, SOURCES, categories, products, variants
from shared.runtime import Work, http


class CreateProduct(Content):
    """`slug` is made from the title and the first SKU when it is left out; `category` is a slug or an id."""


@http(
    "POST /v1/products",
    status=201,
    role="admin",
    idempotent="optional",
    reads=[categories, *SOURCES],
    writes=[products, variants, *DERIVED],
    emits=[ProductCreated, ProductPublished],
)
async def create_product(request: CreateProduct, work: Work) -> Product:
    """Raises SkuTaken, SlugTaken, ValidationFailed for a category that there is not."""
    category_id = await category_id_of(work, request.category)
    product = created(request, work.new_id(), category_id, work.now)
    await keep(work, None, product)
    for news in news_of(None, product):
        work.emit(news)
    return product
