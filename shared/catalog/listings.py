"""What is derived from products for their readers: the rendered document, and the row where searches look.

`catalog.listings_now` says what the derived rows must be. Whoever changes a product or the stock of its SKUs writes
them in the same transaction, with locks in one order: products, then stock by SKU, then the derived rows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import BeforeValidator, ConfigDict
from sqlalchemy import text

from shared.runtime import View, Work

# The stock rows are what writers of a product and of its stock meet on: the later one sees what the earlier one wrote.
CLAIM_STOCK = text("""
insert into catalog.stock as s (sku, product_id, status, sequence)
select sku, product_id, 'out_of_stock', 0 from catalog.variants
where product_id = any(cast(:products as uuid[]))
order by sku
on conflict (sku) do update set product_id = excluded.product_id
""")

DISOWN_STOCK = text("""
update catalog.stock s set product_id = null
where product_id = any(cast(:products as uuid[]))
  and not exists (select from catalog.variants v where v.sku = s.sku and v.product_id = s.product_id)
""")

LIST = text("""
with now as materialized (
  select * from catalog.listings_now where product_id = any(cast(:products as uuid[]))
), listed as (
  insert into catalog.listings as l (product_id, version, document, stock, stock_at)
  select product_id, version, document, stock, stock_at from now order by product_id
  on conflict (product_id) do update
    set version = excluded.version, document = excluded.document, stock = excluded.stock, stock_at = excluded.stock_at
)
insert into catalog.search_entries as s
  (product_id, category_id, title_key, price_minor, currency, published_at, units_sold, availability, attributes,
   about, lexemes)
select product_id, category_id, title_key, price_minor, currency, published_at, units_sold, availability, attributes,
  about, lexemes
from now order by product_id
on conflict (product_id) do update
  set category_id = excluded.category_id, title_key = excluded.title_key, price_minor = excluded.price_minor,
      currency = excluded.currency, published_at = excluded.published_at, units_sold = excluded.units_sold,
      availability = excluded.availability, attributes = excluded.attributes, about = excluded.about,
      lexemes = excluded.lexemes
""")

LEARN_WORDS = text("""
insert into catalog.words (word, deletions)
select word, catalog.deletions(word)
from (
  select distinct catalog.words_of(title_key, attributes) as word
  from catalog.search_entries where product_id = any(cast(:products as uuid[]))
) as every
where not exists (select from catalog.words w where w.word = every.word)
order by word
on conflict do nothing
""")

UNLIST = text("""
with listed as (
  delete from catalog.listings where product_id = any(cast(:products as uuid[]))
)
delete from catalog.search_entries where product_id = any(cast(:products as uuid[]))
""")

RESTOCK = text("""
with now as materialized (
  select product_id, availability, stock, stock_at from catalog.listings_now
  where product_id = any(cast(:products as uuid[]))
), listed as (
  update catalog.listings l set stock = now.stock, stock_at = now.stock_at from now where l.product_id = now.product_id
)
update catalog.search_entries s set availability = now.availability from now
where s.product_id = now.product_id and s.availability <> now.availability
""")


Availability = Literal["in_stock", "low", "backorder", "out_of_stock"]


class ListedVariant(View):
    """`price_minor` is in minor units of `currency`."""

    sku: str
    options: dict[str, str]
    price_minor: int
    currency: str


class ListedMedia(View):
    url: str
    alt: str


class StockStatus(View):
    """What the inventory said last of a SKU, and when; null when it never said anything."""

    status: Availability
    as_of: datetime | None


class Breadcrumb(View):
    id: UUID
    slug: str
    name: str


def _sparse(schema: dict[str, Any]) -> None:
    """Any member may be left out, where the request named `fields`."""
    schema.pop("required", None)


class ListedProduct(View):
    """A product as the public sees it in lists; of its members those that `fields` names, or all.

    `price_minor` is the lowest of its variants'. `stock` is by SKU, `availability` the best of it.
    """

    model_config = ConfigDict(frozen=True, json_schema_extra=_sparse)

    id: UUID
    slug: str
    title: str
    description: str
    category_id: UUID | None
    attributes: dict[str, str]
    media: list[ListedMedia]
    tax_class: str
    price_minor: int
    currency: str
    variants: list[ListedVariant]
    version: int
    published_at: datetime
    updated_at: datetime
    availability: Availability
    stock: dict[str, StockStatus]


class Listing(ListedProduct):
    """A product as the public sees it; `breadcrumbs` lead from the root category to its own."""

    breadcrumbs: list[Breadcrumb]


def _names(given: Any) -> Any:
    parts = given if isinstance(given, list | tuple) else [given]
    return [name for part in parts for name in (part.split(",") if isinstance(part, str) else [part])]


FieldName = Literal[
    "id", "slug", "title", "description", "category_id", "attributes", "media", "tax_class", "price_minor", "currency",
    "variants", "version", "published_at", "updated_at", "availability", "stock", "breadcrumbs", "snippet",
]  # fmt: skip
Fields = Annotated[tuple[FieldName, ...], BeforeValidator(_names)]
"""The members of a product that are wanted, separated by commas."""


def shown(document: str, stock: str, fields: Sequence[str] = (), **members: str) -> bytes:
    """One JSON object of the rendered parts, with more `members` that are JSON already; of all that, only `fields`."""
    parts = "".join(f', "{name}" : {value}' for name, value in members.items())
    whole = f"{document[:-1]}, {stock[1:-1]}{parts}}}"
    if not fields:
        return whole.encode()
    members_of = orjson.loads(whole)
    return orjson.dumps({name: members_of[name] for name in fields if name in members_of})


async def list_now(work: Work, products: Sequence[UUID]) -> None:
    """Lists the published among `products` as they are now."""
    for statement in (CLAIM_STOCK, DISOWN_STOCK, LIST, LEARN_WORDS):
        await work.db.send(statement, products=products)


async def unlist(work: Work, products: Sequence[UUID]) -> None:
    await work.db.send(DISOWN_STOCK, products=products)
    await work.db.send(UNLIST, products=products)


async def restock(work: Work, products: Sequence[UUID]) -> None:
    """Shows the stock of `products` as it is now; their stock rows are locked."""
    await work.db.send(RESTOCK, products=products)
