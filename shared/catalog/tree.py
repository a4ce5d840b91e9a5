"""The tree of categories. One lock keeps its shape: whoever changes it sees it as the last one left it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.catalog.problems import UnknownCategory
from shared.runtime import View, Work
from shared.runtime.problems import StaleVersion

Position = Annotated[int, Field(strict=True, ge=0, le=100_000)]
"""A place among siblings, counted from 0; one beyond the end is the end."""


class Category(View):
    """`ancestors` are the ids of the categories above it, from the root down."""

    id: UUID
    slug: str
    name: str
    parent_id: UUID | None
    ancestors: list[UUID]
    position: int
    version: int
    created_at: datetime
    updated_at: datetime


LOCK = text("select pg_advisory_xact_lock(hashtextextended('catalog.categories', 0))")

NAMED = text("""
select id, slug, name, parent_id, ancestors, position, version, created_at, updated_at
from catalog.categories where slug = :category or cast(id as text) = :category
""")

# Also closes the gap that a category leaves which is no more among these siblings.
RENUMBER = text("""
update catalog.categories c set position = n.position
from (
  select id, row_number() over (order by key) - 1 as position
  from (
    select id, case when id = :id then cast(:position as int) - 0.5
      else row_number() over (partition by id = :id order by position, id) - 1 end as key
    from catalog.categories where parent_id is not distinct from cast(:parent_id as uuid)
  ) as keyed
) as n
where c.id = n.id and c.position <> n.position
""")

POSITION = text("select position from catalog.categories where id = :id")


async def lock_tree(work: Work) -> None:
    await work.db.send(LOCK)


async def category_named(work: Work, name: str) -> Category:
    """Raises UnknownCategory."""
    row = await work.db.one(NAMED, category=name)
    if row is None:
        raise UnknownCategory(category=name)
    return Category.model_validate(row._asdict())


async def category_to_change(work: Work, name: str, expected_version: int) -> Category:
    """With the tree locked. Raises UnknownCategory, StaleVersion."""
    await lock_tree(work)
    category = await category_named(work, name)
    if category.version != expected_version:
        raise StaleVersion(current_version=category.version)
    return category


async def put_in_order(work: Work, category: Category) -> Category:
    """Moves the siblings of `category` so that it has its position, or the last one."""
    moved = {"id": category.id, "parent_id": category.parent_id, "position": category.position}
    await work.db.send(RENUMBER, **moved)
    return category.model_copy(update={"position": await work.db.value(POSITION, id=category.id)})
