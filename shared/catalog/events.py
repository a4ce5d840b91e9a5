"""What the catalogue says: snapshots of a product, so that nobody has to read back."""

from uuid import UUID

from shared.runtime import Event


class ProductCreated(
    Event, type="shop.catalog.product.created.v1", topic="shop.catalog", key="sku", subject="product/{sku}"
):
    """`price_minor` is in minor units of `currency`."""

    id: UUID
    sku: str
    slug: str
    title: str
    price_minor: int
    currency: str
    status: str
    version: int


class ProductUpdated(
    Event, type="shop.catalog.product.updated.v1", topic="shop.catalog", key="sku", subject="product/{sku}"
):
    """The product as it is since this version."""

    id: UUID
    sku: str
    slug: str
    title: str
    price_minor: int
    currency: str
    status: str
    version: int
