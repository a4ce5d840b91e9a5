"""A product: its public representation, and the statements that keep it."""

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.catalog.tables import products
from shared.runtime import View
from shared.vocabulary import Currency, Line, Minor, Sku

Status = Literal["draft", "published", "archived"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=200)]
Description = Annotated[str, Field(max_length=10_000)]


class Product(View):
    """As the public sees it. `price_minor` is in minor units of `currency`."""

    id: UUID
    sku: Sku
    slug: Slug
    title: Line
    description: Description
    price_minor: Minor
    currency: Currency
    status: Status
    version: int
    updated_at: datetime


class StoredProduct(Product):
    """A row: the representation in fields, and rendered."""

    created_at: datetime

    def values(self) -> dict[str, object]:
        rendered = self.model_dump_json(include=set(Product.model_fields)).encode()
        return {**self.model_dump(), "document": rendered}

    def public(self) -> Product:
        return Product.model_validate(self.model_dump())


def slug_of(*words: str) -> str:
    joined = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return joined[:200].strip("-") or "product"


BY_SKU = select(*(column for column in products.c if column.name != "document")).where(
    products.c.sku == bindparam("sku")
)
BY_SKU_TO_CHANGE = BY_SKU.with_for_update()

KEEP = insert(products).on_conflict_do_nothing().returning(products.c.id)

CHANGED = ("slug", "title", "description", "price_minor", "currency", "status", "version", "updated_at", "document")
CHANGE = (
    update(products)
    .where(products.c.id == bindparam("product_id"))
    .values({name: bindparam(f"new_{name}") for name in CHANGED})
)

SLUG_OWNER = select(products.c.sku).where(products.c.slug == bindparam("slug"))
