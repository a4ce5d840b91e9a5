"""Show one product on sale, with its stock and where it stands (PROD-004, PROD-011)."""

from typing import Annotated
from zlib import crc32

from sqlalchemy import text

from shared.catalog.content import ProductName
from shared.catalog.following import STOCK
from shared.catalog.listings import Fields, Listing, shown
from shared.catalog.problems import UnknownProduct
from shared.catalog.products import PRODUCT_ID
from shared.catalog.tables import categories, listings, products, stock, variants
from shared.runtime import Document, Request, Work, http

LISTING = text(f"""
select l.version, l.document, l.stock, l.stock_at, (
    select json_agg(json_build_object('id', c.id, 'slug', c.slug, 'name', c.name) order by cardinality(c.ancestors))
    from catalog.products p
    join catalog.categories own on own.id = p.category_id
    cross join unnest(own.ancestors || own.id) as every (id)
    join catalog.categories c on c.id = every.id
    where p.id = l.product_id
  )::text as breadcrumbs
from catalog.listings l
where l.product_id = {PRODUCT_ID}
""")  # noqa: S608 - a constant of ours


class GetProduct(Request):
    """`fields` names the members that are wanted; all are given without it."""

    product: ProductName
    fields: Fields = ()


@http(
    "GET /v1/products/{product}",
    role="public",
    cache_s=5,
    follows=STOCK,
    reads=[listings, categories, products, variants, stock],
    warm=True,
)
async def get_product(request: GetProduct, work: Work) -> Annotated[Document, Listing]:
    """Called by its id, a SKU or its slug. Raises UnknownProduct, also for one that is not on sale."""
    row = await work.db.one(LISTING, product=request.product)
    if row is None:
        raise UnknownProduct(product=request.product)
    tag = f"{row.version}.{row.stock_at}"
    if row.breadcrumbs:  # a category above it may have another name, or stand elsewhere
        tag += f".{crc32(row.breadcrumbs.encode()):x}"
    return Document(shown(row.document, row.stock, request.fields, breadcrumbs=row.breadcrumbs or "[]"), tag)
