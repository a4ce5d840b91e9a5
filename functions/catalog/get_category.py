"""Show a category with the way to it, what stands below it, and how many products (PROD-007)."""

from typing import Annotated
from uuid import UUID
from zlib import crc32

from sqlalchemy import text

from shared.catalog.content import CategoryName
from shared.catalog.listings import Breadcrumb
from shared.catalog.problems import UnknownCategory
from shared.catalog.tables import categories, search_entries
from shared.runtime import Document, Request, View, Work, http

CATEGORY = text("""
select c.id, c.slug, c.name, c.parent_id, c.version,
  (select coalesce(json_agg(json_build_object('id', a.id, 'slug', a.slug, 'name', a.name)
     order by cardinality(a.ancestors)), '[]') from catalog.categories a where a.id = any(c.ancestors)) as breadcrumbs,
  (select coalesce(json_agg(json_build_object('id', d.id, 'slug', d.slug, 'name', d.name) order by d.position), '[]')
   from catalog.categories d where d.parent_id = c.id) as children,
  (select count(*) from catalog.search_entries s where s.category_id = any(array(
     select b.id from catalog.categories b where b.id = c.id or b.ancestors @> array[c.id]))) as products
from catalog.categories c
where c.slug = :category or cast(c.id as text) = :category
""")


class CategoryPage(View):
    """`breadcrumbs` lead from the root to its parent; `products` counts those on sale in it and below it."""

    id: UUID
    slug: str
    name: str
    parent_id: UUID | None
    breadcrumbs: list[Breadcrumb]
    children: list[Breadcrumb]
    products: int
    version: int


class GetCategory(Request):
    category: CategoryName


@http("GET /v1/categories/{category}", role="public", cache_s=30, reads=[categories, search_entries])
async def get_category(request: GetCategory, work: Work) -> Annotated[Document, CategoryPage]:
    """Its products, children and way change without a new version. Raises UnknownCategory."""
    row = await work.db.one(CATEGORY, category=request.category)
    if row is None:
        raise UnknownCategory(category=request.category)
    page = CategoryPage.model_validate(row._asdict()).model_dump_json().encode()
    return Document(page, f"{row.version}.{crc32(page):x}")
