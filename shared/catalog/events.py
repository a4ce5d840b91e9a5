"""What the catalogue says: snapshots of a product or a category, so that nobody has to read back."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.runtime import Event


class VariantSnapshot(BaseModel):
    """`price_minor` is in minor units of `currency`."""

    model_config = ConfigDict(frozen=True)

    sku: str
    options: dict[str, str]
    price_minor: int
    currency: str


class MediaSnapshot(BaseModel):
    model_config = ConfigDict(frozen=True)

    url: str
    alt: str


class ProductSnapshot(BaseModel):
    """The product as it is since `version`."""

    id: UUID
    slug: str
    title: str
    description: str
    category_id: UUID | None
    attributes: dict[str, str]
    media: list[MediaSnapshot]
    tax_class: str
    status: str
    publish_at: datetime | None
    published_at: datetime | None
    variants: list[VariantSnapshot]
    version: int


class ProductCreated(
    ProductSnapshot,
    Event,
    type="shop.catalog.product.created.v1",
    topic="shop.catalog",
    key="id",
    subject="product/{id}",
):
    """A product came into being, on sale or not; when it is on sale at once, ProductPublished follows."""


class ProductUpdated(
    ProductSnapshot,
    Event,
    type="shop.catalog.product.updated.v1",
    topic="shop.catalog",
    key="id",
    subject="product/{id}",
):
    """Something changed, but not whether the product is on sale."""


class ProductPublished(
    ProductSnapshot,
    Event,
    type="shop.catalog.product.published.v1",
    topic="shop.catalog",
    key="id",
    subject="product/{id}",
):
    """The product is on sale, as it stands here."""


class ProductArchived(
    ProductSnapshot,
    Event,
    type="shop.catalog.product.archived.v1",
    topic="shop.catalog",
    key="id",
    subject="product/{id}",
):
    """The product is on sale no more; `status` says whether it is a draft again or archived."""


class ProductDeleted(
    ProductSnapshot,
    Event,
    type="shop.catalog.product.deleted.v1",
    topic="shop.catalog",
    key="id",
    subject="product/{id}",
):
    """The product is no more; this is how it was."""


class CategorySnapshot(BaseModel):
    """`ancestors` are the categories above it, from the root down; `position` counts from 0 among its siblings."""

    id: UUID
    slug: str
    name: str
    parent_id: UUID | None
    ancestors: list[UUID]
    position: int
    version: int


class CategoryCreated(
    CategorySnapshot,
    Event,
    type="shop.catalog.category.created.v1",
    topic="shop.catalog",
    key="id",
    subject="category/{id}",
):
    pass


class CategoryUpdated(
    CategorySnapshot,
    Event,
    type="shop.catalog.category.updated.v1",
    topic="shop.catalog",
    key="id",
    subject="category/{id}",
):
    """It has another name or slug."""


class CategoryMoved(
    CategorySnapshot,
    Event,
    type="shop.catalog.category.moved.v1",
    topic="shop.catalog",
    key="id",
    subject="category/{id}",
):
    """It stands elsewhere, and all that is below it with it: nothing is said of those."""


class CategoryDeleted(
    CategorySnapshot,
    Event,
    type="shop.catalog.category.deleted.v1",
    topic="shop.catalog",
    key="id",
    subject="category/{id}",
):
    """It is no more; this is how it was. What stood in it stands in `moved_to` now, and nothing is said of each."""

    moved_to: UUID | None
