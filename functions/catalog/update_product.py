"""Change a product by JSON merge patch, on the version that was read (PROD-002; RFC 7396, RFC 9110 section 13.1.1)."""

from shared.catalog.events import ProductUpdated
from shared.catalog.problems import SlugTaken, UnknownProduct
from shared.catalog.products import (
    BY_SKU_TO_CHANGE,
    CHANGE,
    CHANGED,
    SLUG_OWNER,
    Description,
    Product,
    Slug,
    Status,
    StoredProduct,
)
from shared.catalog.tables import products
from shared.runtime import Request, Work, http
from shared.runtime.problems import StaleVersion
from shared.vocabulary import Currency, Line, Minor, Sku


class UpdateProduct(Request):
    """Fields that are left out stay as they are; none of them can be removed."""

    sku: Sku
    expected_version: int
    title: Line = ""
    description: Description = ""
    price_minor: Minor = 0
    currency: Currency = "GBP"
    slug: Slug = ""
    status: Status = "draft"

    def changes(self) -> dict[str, object]:
        return self.model_dump(exclude_unset=True, exclude={"sku", "expected_version"})


@http(
    "PATCH /v1/products/{sku}",
    role="admin",
    if_match=True,
    writes=[products],
    emits=[ProductUpdated],
)
async def update_product(request: UpdateProduct, work: Work) -> Product:
    """A patch that changes nothing makes no new version. Raises UnknownProduct, StaleVersion, SlugTaken."""
    row = await work.db.one(BY_SKU_TO_CHANGE, sku=request.sku)
    if row is None:
        raise UnknownProduct(sku=request.sku)
    if row.version != request.expected_version:
        raise StaleVersion(current_version=row.version)
    before = StoredProduct.model_validate(row._asdict())
    after = before.model_copy(update=request.changes())
    if after == before:
        return before.public()
    if after.slug != before.slug and await work.db.value(SLUG_OWNER, slug=after.slug):
        raise SlugTaken(slug=after.slug)
    after = after.model_copy(update={"version": before.version + 1, "updated_at": work.now})
    values = after.values()
    await work.db.send(CHANGE, product_id=after.id, **{f"new_{name}": values[name] for name in CHANGED})
    work.emit(ProductUpdated.model_validate(after.model_dump()))
    return after.public()
