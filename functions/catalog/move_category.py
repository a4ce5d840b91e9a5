"""Move a category, with all that is below it, to another parent or another place (PROD-007)."""

from sqlalchemy import text

from shared.catalog.content import CategoryName
from shared.catalog.events import CategoryMoved
from shared.catalog.problems import CategoryCycle
from shared.catalog.tables import categories
from shared.catalog.tree import Category, Position, category_named, category_to_change, put_in_order
from shared.runtime import Request, Work, http

MOVE = text("""
update catalog.categories
set parent_id = :parent_id, ancestors = :ancestors, position = :position, version = :version, updated_at = :now
where id = :id
""")

# Products know their own category only, so none of them is touched, however many there are.
MOVE_BELOW = text("""
update catalog.categories
set ancestors = cast(:path as uuid[]) || ancestors[cast(:depth as int) + 1:]
where ancestors @> array[cast(:id as uuid)]
""")


class MoveCategory(Request):
    """A null `parent` makes it a root; without a `position` it is the last among its siblings."""

    category: CategoryName
    expected_version: int
    parent: CategoryName | None
    position: Position = 100_000


@http(
    "PUT /v1/categories/{category}/place",
    role="admin",
    if_match=True,
    writes=[categories],
    emits=[CategoryMoved],
)
async def move_category(request: MoveCategory, work: Work) -> Category:
    """One short transaction, whatever stands below. Raises UnknownCategory, StaleVersion, CategoryCycle."""
    before = await category_to_change(work, request.category, request.expected_version)
    parent = None if request.parent is None else await category_named(work, request.parent)
    if parent is not None and before.id in (parent.id, *parent.ancestors):
        raise CategoryCycle(category=before.slug, parent=parent.slug)
    ancestors = [*parent.ancestors, parent.id] if parent else []
    after = before.model_copy(
        update={
            "parent_id": parent.id if parent else None,
            "ancestors": ancestors,
            "position": request.position,
            "version": before.version + 1,
            "updated_at": work.now,
        }
    )
    said = after.model_dump(include={"id", "parent_id", "ancestors", "position", "version"})
    await work.db.send(MOVE, **said, now=work.now)
    await work.db.send(MOVE_BELOW, id=after.id, path=[*ancestors, after.id], depth=len(before.ancestors) + 1)
    await put_in_order(work, before)
    after = await put_in_order(work, after)
    work.emit(CategoryMoved.model_validate(after.model_dump()))
    return after
