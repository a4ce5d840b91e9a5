"""Show the tree of categories, with counts where they are asked for (PROD-007)."""

from uuid import UUID

from sqlalchemy import text

from shared.catalog.tables import categories, search_entries
from shared.runtime import Request, View, Work, http

# Depth first, siblings in their order.
TREE = text("""
with recursive tree as (
  select id, array[position] as place from catalog.categories where parent_id is null
  union all
  select c.id, tree.place || c.position from catalog.categories c join tree on c.parent_id = tree.id
)
select c.id, c.slug, c.name, c.parent_id, cardinality(c.ancestors) as depth
from tree join catalog.categories c on c.id = tree.id
order by tree.place
""")

COUNTS = text("""
select every.id, sum(direct.products)::int as products
from (
  select category_id, count(*) as products from catalog.search_entries
  where category_id is not null group by category_id
) as direct
join catalog.categories own on own.id = direct.category_id
cross join lateral unnest(own.ancestors || own.id) as every (id)
group by every.id
""")


class CategoryNode(View):
    """`depth` is 0 for a root. `products` counts those on sale in it and below it; null where no counts were asked."""

    id: UUID
    slug: str
    name: str
    parent_id: UUID | None
    depth: int
    products: int | None


class CategoryTree(View):
    """Each category stands after its parent, siblings in their order."""

    categories: list[CategoryNode]


class ListCategories(Request):
    counts: bool = False


@http("GET /v1/categories", role="public", cache_s=30, reads=[categories, search_entries])
async def list_categories(request: ListCategories, work: Work) -> CategoryTree:
    tree = work.db.enqueue(TREE)
    counts = {row.id: row.products for row in await work.db.all(COUNTS)} if request.counts else {}
    nodes = [
        CategoryNode(**row._asdict(), products=counts.get(row.id, 0) if request.counts else None)
        for row in await tree.all()
    ]
    return CategoryTree(categories=nodes)
