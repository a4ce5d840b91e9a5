"""Create a product (PROD-001)."""

from shared.catalog.events import ProductCreated
from shared.catalog.problems import SkuTaken, SlugTaken
from shared.catalog.products import (
    BY_SKU,
    KEEP,
    Description,
    Product,
    Slug,
    Status,
    StoredProduct,
    slug_of,
)
from shared.catalog.tables import products
from shared.runtime import Request, Work, http
from shared.vocabulary import Currency, Line, Minor, Sku


class CreateProduct(Request):
    """`slug` is made from title and SKU when it is left out."""

    sku: Sku
    title: Line
    description: Description = ""
    price_minor: Minor
    currency: Currency = "GBP"
    slug: Slug | None = None
    status: Status = "published"


@http(
    "POST /v1/products",
    status=201,
    role="admin",
    writes=[products],
    emits=[ProductCreated],
)
async def create_product(request: CreateProduct, work: Work) -> Product:
    """Raises SkuTaken, SlugTaken."""
    slug = request.slug or slug_of(request.title, request.sku)
    product = StoredProduct(
        **request.model_dump(exclude={"slug"}),
        id=work.new_id(),
        slug=slug,
        version=1,
        created_at=work.now,
        updated_at=work.now,
    )
    if await work.db.value(KEEP, **product.values()) is None:
        if await work.db.one(BY_SKU, sku=request.sku):
            raise SkuTaken(sku=request.sku)
        raise SlugTaken(slug=slug)
    work.emit(ProductCreated.model_validate(product.model_dump()))
    return product.public()
