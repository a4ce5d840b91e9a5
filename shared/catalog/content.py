"""What a keeper writes of a product, and the product that comes of it."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from shared.catalog.events import ProductArchived, ProductCreated, ProductPublished, ProductUpdated
from shared.runtime import Event, Request, View
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import Currency, Line, Minor, Moment, Sku

Status = Literal["draft", "published", "archived"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=200, examples=["blue-mug"])]
ProductName = Annotated[str, Field(min_length=1, max_length=200, examples=["blue-mug"])]
"""How a product is called in a path: by its id, its slug or one of its SKUs."""

AttributeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}$", examples=["colour"])]
Url = Annotated[
    str, Field(pattern=r"^https?://[^\s\x00-\x1f]+$", max_length=2_000, examples=["https://example.com/blue-mug.jpg"])
]


def _named_apart(attributes: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in attributes}) < len(attributes):
        raise ValueError("names must differ by more than case")
    return attributes


Attributes = Annotated[dict[AttributeName, Line], Field(max_length=50), AfterValidator(_named_apart)]


ATTRIBUTES: TypeAdapter[dict[str, str]] = TypeAdapter(Attributes)


class Variant(BaseModel):
    """What is sold: `options` tell it from the other variants, `price_minor` is in minor units of `currency`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    options: Annotated[dict[AttributeName, Line], Field(max_length=10)] = {}
    price_minor: Minor
    currency: Currency = "GBP"


class Media(BaseModel):
    """A picture or a film, and what it shows in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Url
    alt: Annotated[str, Field(max_length=500)] = ""


Description = Annotated[str, Field(max_length=10_000)]
CategoryName = Annotated[str, Field(min_length=1, max_length=200, examples=["mugs"])]
"""How a category is called: by its slug or its id."""
MediaList = Annotated[tuple[Media, ...], Field(max_length=50)]


TaxClass = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", examples=["standard"])]
Variants = Annotated[tuple[Variant, ...], Field(min_length=1, max_length=100)]


class Content(Request):
    """What a keeper writes of a product. One with `publish_at` is a draft until then."""

    title: Line
    description: Description = ""
    category: CategoryName | None = None
    attributes: Attributes = Field(default_factory=dict)
    media: MediaList = ()
    tax_class: TaxClass = "standard"
    variants: Variants
    status: Status = "published"
    publish_at: Moment | None = None
    slug: Slug | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if faults := list(inconsistencies(self.variants, self.status, self.publish_at)):
            raise ValueError("; ".join(f"{field}: {fault}" for field, fault in faults))
        return self


def inconsistencies(
    variants: Sequence[Variant], status: Status, publish_at: datetime | None
) -> Iterable[tuple[str, str]]:
    """The rules that several fields must keep together: which field breaks which."""
    if len({variant.sku for variant in variants}) < len(variants):
        yield "variants", "a SKU stands twice"
    if len({variant.currency for variant in variants}) > 1:
        yield "variants", "all prices must be in one currency"
    if len({frozenset(variant.options) for variant in variants}) > 1:
        yield "variants", "all must have the same options"
    elif len({frozenset(variant.options.items()) for variant in variants}) < len(variants):
        yield "variants", "two have the same values of their options"
    if publish_at is not None and status != "draft":
        yield "publish_at", "only a draft waits to be published"


class Product(View):
    """As its keepers see it, on sale or not."""

    id: UUID
    slug: Slug
    title: Line
    description: str
    category_id: UUID | None
    attributes: dict[str, str]
    media: tuple[Media, ...]
    tax_class: str
    variants: tuple[Variant, ...]
    status: Status
    publish_at: datetime | None
    published_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def skus(self) -> list[str]:
        return [variant.sku for variant in self.variants]


def slug_of(*words: str) -> str:
    joined = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return joined[:200].strip("-") or "product"


def attributes_of(merged: dict[str, str | None]) -> dict[str, str]:
    """A merge patch's attributes: what is null is no more. Raises ValidationFailed."""
    try:
        return ATTRIBUTES.validate_python({name: value for name, value in merged.items() if value is not None})
    except ValidationError as error:
        raise ValidationFailed(errors=[{"pointer": "/attributes", "detail": error.errors()[0]["msg"]}]) from None


def created(content: Content, id: UUID, category_id: UUID | None, now: datetime) -> Product:
    """A new product; its slug is made from the title and the first SKU when none is given."""
    return Product(
        **{name: getattr(content, name) for name in Content.model_fields if name not in ("category", "slug")},
        id=id,
        slug=content.slug or slug_of(content.title, content.variants[0].sku),
        category_id=category_id,
        published_at=now if content.status == "published" else None,
        version=1,
        created_at=now,
        updated_at=now,
    )


def changed(before: Product, said: dict[str, Any], now: datetime) -> Product:
    """`before` with the fields that a keeper wrote; `before` itself where nothing changes.

    A product that goes on sale again is as new as it is now. Raises ValidationFailed.
    """
    after = before.model_copy(update=said)
    if after.status != "draft" and "publish_at" not in said:
        after = after.model_copy(update={"publish_at": None})
    if faults := list(inconsistencies(after.variants, after.status, after.publish_at)):
        raise ValidationFailed(errors=[{"pointer": f"/{field}", "detail": fault} for field, fault in faults])
    if after == before:
        return before
    published_at = now if after.status == "published" != before.status else before.published_at
    return after.model_copy(update={"published_at": published_at, "version": before.version + 1, "updated_at": now})


def news_of(before: Product | None, after: Product) -> Iterable[Event]:
    """What there is to say about a product that was written."""
    said = after.model_dump()
    if before is None:
        yield ProductCreated.model_validate(said)
    if after.status == "published" and (before is None or before.status != "published"):
        yield ProductPublished.model_validate(said)
    elif before is not None and before.status == "published" != after.status:
        yield ProductArchived.model_validate(said)
    elif before is not None:
        yield ProductUpdated.model_validate(said)
