"""Change a product by JSON merge patch, on the version that was read (PROD-002; RFC 7396, RFC 9110 section 13.1.1)."""

from typing import Any

from pydantic import Field

from shared.catalog.content import (
    AttributeName,
    CategoryName,
    Description,
    MediaList,
    Product,
    ProductName,
    Slug,
    Status,
    TaxClass,
    Variants,
    attributes_of,
    changed,
    news_of,
)
from shared.catalog.events import ProductArchived, ProductPublished, ProductUpdated
from shared.catalog.products import category_id_of, find_to_change, keep
from shared.catalog.tables import DERIVED, SOURCES, categories, products, variants
from shared.runtime import Request, Work, http
from shared.vocabulary import Line, Moment


class UpdateProduct(Request):
    """Fields that are left out stay as they are. A null attribute is removed; `variants` are replaced whole."""

    product: ProductName
    expected_version: int
    title: Line = ""
    slug: Slug = ""
    description: Description = ""
    category: CategoryName | None = None
    attributes: dict[AttributeName, Line | None] = Field(default_factory=dict)
    media: MediaList = ()
    tax_class: TaxClass = ""
    variants: Variants = ()
    status: Status = "draft"
    publish_at: Moment | None = None

    def changes(self) -> dict[str, Any]:
        said = self.model_fields_set - {"product", "expected_version", "category", "attributes"}
        return {name: getattr(self, name) for name in said}


@http(
    "PATCH /v1/products/{product}",
    role="admin",
    if_match=True,
    reads=[categories, *SOURCES],
    writes=[products, variants, *DERIVED],
    emits=[ProductUpdated, ProductPublished, ProductArchived],
)
async def update_product(request: UpdateProduct, work: Work) -> Product:
    """A patch that changes nothing makes no new version. Raises UnknownProduct, StaleVersion, SkuTaken, SlugTaken."""
    before = await find_to_change(work, request.product, request.expected_version)
    said = request.changes()
    if "category" in request.model_fields_set:
        said["category_id"] = await category_id_of(work, request.category)
    if request.attributes:
        said["attributes"] = attributes_of({**before.attributes, **request.attributes})
    after = changed(before, said, work.now)
    if after is not before:
        await keep(work, before, after)
        for news in news_of(before, after):
            work.emit(news)
    return after
