"""The rows of products and their variants, and the only place where they are written, many at a time or one."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from shared.catalog.content import Product
from shared.catalog.listings import list_now, unlist
from shared.catalog.problems import SkuTaken, SlugTaken, UnknownProduct
from shared.runtime import Work
from shared.runtime.pipeline import Row
from shared.runtime.problems import StaleVersion, ValidationFailed

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
