"""Delete a category, and say where its products and categories go (PROD-007)."""

from sqlalchemy import text

from shared.catalog.content import CategoryName
from shared.catalog.events import CategoryDeleted
from shared.catalog.listings import list_now
from shared.catalog.problems import CategoryCycle, CategoryInUse
from shared.catalog.tables import DERIVED, SOURCES, categories, products
from shared.catalog.tree import Category, category_named, category_to_change, put_in_order
from shared.runtime import Request, Work, http

CONTENTS = text("""
select (select count(*) from catalog.products where category_id = :id) as products,
  (select count(*) from catalog.categories where parent_id = :id) as categories
""")

MOVE_PRODUCTS = text("""
update catalog.products set category_id = :target, version = version + 1, updated_at = :now
where category_id = :id returning id
""")

MOVE_CATEGORIES = text("""
update catalog.categories
set parent_id = case parent_id when :id then cast(:target as uuid) else parent_id end,
  position = position + case parent_id when :id then 100000 else 0 end,
  ancestors = cast(:path as uuid[]) || ancestors[cast(:depth as int) + 1:]
where ancestors @> array[cast(:id as uuid)]
""")

DELETE = text("delete from catalog.categories where id = :id")


class DeleteCategory(Request):
    """`move_to` takes what stands in the category; without it, the category must be empty."""

    category: CategoryName
    expected_version: int
    move_to: CategoryName | None = None


@http(
    "DELETE /v1/categories/{category}",
    status=204,
    role="admin",
    if_match=True,
    reads=SOURCES,
    writes=[categories, products, *DERIVED],
    emits=[CategoryDeleted],
)
async def delete_category(request: DeleteCategory, work: Work) -> None:
    """Raises UnknownCategory, StaleVersion, CategoryInUse, CategoryCycle for a `move_to` below it."""
    category = await category_to_change(work, request.category, request.expected_version)
    contents = await work.db.one(CONTENTS, id=category.id)
    assert contents is not None
    target = None
    if contents.products or contents.categories:
        if request.move_to is None:
            raise CategoryInUse(category=category.slug, products=contents.products, categories=contents.categories)
        target = await category_named(work, request.move_to)
        if category.id in (target.id, *target.ancestors):
            raise CategoryCycle(category=category.slug, parent=target.slug)
        await _move_contents(work, category, target)
    await work.db.send(DELETE, id=category.id)
    await put_in_order(work, category)
    work.emit(CategoryDeleted(**category.model_dump(), moved_to=target.id if target else None))


async def _move_contents(work: Work, category: Category, target: Category) -> None:
    move = {"id": category.id, "target": target.id}
    path = [*target.ancestors, target.id]
    await work.db.send(MOVE_CATEGORIES, **move, path=path, depth=len(category.ancestors) + 1)
    await put_in_order(work, category.model_copy(update={"parent_id": target.id}))
    moved = [row.id for row in await work.db.all(MOVE_PRODUCTS, **move, now=work.now)]
    if moved:
        await list_now(work, moved)
