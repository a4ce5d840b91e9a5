"""A product as its keepers see it, and the only place where its rows are written, many at a time or one."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from sqlalchemy import TextClause, text

from shared.catalog.events import ProductArchived, ProductCreated, ProductPublished, ProductUpdated
from shared.catalog.listings import list_now, unlist
from shared.catalog.problems import SkuTaken, SlugTaken, UnknownProduct
from shared.runtime import Event, Request, View, Work
from shared.runtime.pipeline import Row
from shared.runtime.problems import StaleVersion, ValidationFailed
from shared.vocabulary import Currency, Line, Minor, Sku

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


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
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


PRODUCT_ID = """coalesce(
  (select id from catalog.products where id = case
    when cast(:product as text) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then cast(:product as uuid) end),
  (select product_id from catalog.variants where sku = :product),
  (select id from catalog.products where slug = :product)
)"""
"""The product called `:product`: an id goes before a SKU, a SKU before a slug."""

COLUMNS = """p.id, p.slug, p.title, p.description, p.category_id, p.attributes, p.media, p.tax_class, p.status,
  p.publish_at, p.published_at, p.version, p.created_at, p.updated_at,
  (select json_agg(json_build_object('sku', v.sku, 'options', v.options, 'price_minor', v.price_minor,
     'currency', v.currency) order by v.position)
   from catalog.variants v where v.product_id = p.id) as variants"""


def products_where(condition: str) -> TextClause:
    return text(f"select {COLUMNS} from catalog.products p where {condition}")  # noqa: S608 - constants of ours


BY_NAME = products_where(f"p.id = {PRODUCT_ID}")
BY_NAME_TO_CHANGE = products_where(f"p.id = {PRODUCT_ID} for update of p")

_RECORD = """json_to_recordset(cast(:products as json)) as n (
    id uuid, slug text, title text, description text, category_id uuid, attributes jsonb, media jsonb, tax_class text,
    status text, publish_at timestamptz, published_at timestamptz, version int, created_at timestamptz,
    updated_at timestamptz)"""

INSERT = text(f"""
insert into catalog.products
  (id, slug, title, description, category_id, attributes, media, tax_class, status, publish_at, published_at, version,
   created_at, updated_at)
select id, slug, title, description, category_id, attributes, media, tax_class, status, publish_at, published_at,
  version, created_at, updated_at
from {_RECORD}
order by slug
on conflict (slug) do nothing
returning id
""")  # noqa: S608

CHANGE = text(f"""
update catalog.products p
set slug = n.slug, title = n.title, description = n.description, category_id = n.category_id,
  attributes = n.attributes, media = n.media, tax_class = n.tax_class, status = n.status, publish_at = n.publish_at,
  published_at = n.published_at, version = n.version, updated_at = n.updated_at
from {_RECORD}
where p.id = n.id
""")  # noqa: S608

# A variant of a product that could not be inserted is left out; one whose SKU another product has is not returned.
SET_VARIANTS = text("""
with wanted as materialized (
  select n.* from json_to_recordset(cast(:variants as json))
    as n (sku text, product_id uuid, position int, options jsonb, price_minor bigint, currency text)
  join catalog.products p on p.id = n.product_id
), gone as (
  delete from catalog.variants v
  where v.product_id in (select product_id from wanted) and v.sku not in (select sku from wanted)
)
insert into catalog.variants as v (sku, product_id, position, options, price_minor, currency)
select sku, product_id, position, options, price_minor, currency from wanted order by sku
on conflict (sku) do update
  set position = excluded.position, options = excluded.options, price_minor = excluded.price_minor,
      currency = excluded.currency
  where v.product_id = excluded.product_id
returning sku
""")

SLUG_TAKEN = text("select true from catalog.products where slug = :slug and id <> :id")

CATEGORY = text("select id from catalog.categories where slug = :category or cast(id as text) = :category")


def attributes_of(merged: dict[str, str | None]) -> dict[str, str]:
    """A merge patch's attributes: what is null is no more. Raises ValidationFailed."""
    try:
        return ATTRIBUTES.validate_python({name: value for name, value in merged.items() if value is not None})
    except ValidationError as error:
        raise ValidationFailed(errors=[{"pointer": "/attributes", "detail": error.errors()[0]["msg"]}]) from None


def product_of(row: Row) -> Product:
    return Product.model_validate(row._asdict())


async def find_to_change(work: Work, name: str, expected_version: int) -> Product:
    """The product, locked. Raises UnknownProduct, StaleVersion."""
    row = await work.db.one(BY_NAME_TO_CHANGE, product=name)
    if row is None:
        raise UnknownProduct(product=name)
    if row.version != expected_version:
        raise StaleVersion(current_version=row.version)
    return product_of(row)


async def category_id_of(work: Work, category: str | None) -> UUID | None:
    """Raises ValidationFailed where there is no such category."""
    if category is None:
        return None
    found: UUID | None = await work.db.value(CATEGORY, category=category)
    if found is None:
        raise ValidationFailed(errors=[{"pointer": "/category", "detail": "There is no such category."}])
    return found


async def insert(work: Work, products: Sequence[Product]) -> set[UUID]:
    """Gives the ids of those whose slug was free."""
    return {row.id for row in await work.db.all(INSERT, products=_records(products))}


async def change(work: Work, products: Sequence[Product]) -> None:
    await work.db.send(CHANGE, products=_records(products))


async def set_variants(work: Work, products: Sequence[Product]) -> set[str]:
    """Gives the SKUs that are the products' own now; the others belong to other products."""
    rows = [
        {**variant.model_dump(), "product_id": product.id, "position": position}
        for product in products
        for position, variant in enumerate(product.variants)
    ]
    return {row.sku for row in await work.db.all(SET_VARIANTS, variants=orjson.dumps(rows).decode())}


async def keep(work: Work, before: Product | None, after: Product) -> None:
    """Writes one product, new or changed, and what is derived from it. Raises SkuTaken, SlugTaken."""
    if before is None:
        if not await insert(work, [after]):
            raise SlugTaken(slug=after.slug)
    else:
        if after.slug != before.slug and await work.db.value(SLUG_TAKEN, slug=after.slug, id=after.id):
            raise SlugTaken(slug=after.slug)
        await change(work, [after])
    if before is None or after.variants != before.variants:
        own = await set_variants(work, [after])
        if taken := [sku for sku in after.skus if sku not in own]:
            raise SkuTaken(sku=taken[0])
    if after.status == "published":
        await list_now(work, [after.id])
    elif before is not None:
        await unlist(work, [after.id])


def _records(products: Sequence[Product]) -> str:
    return orjson.dumps([product.model_dump(exclude={"variants"}) for product in products]).decode()


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
