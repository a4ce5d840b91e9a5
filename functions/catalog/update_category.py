"""Rename a category or change its slug, by JSON merge patch (PROD-007)."""

from sqlalchemy import bindparam, update

from shared.catalog.content import CategoryName, Slug
from shared.catalog.events import CategoryUpdated
from shared.catalog.problems import SlugTaken
from shared.catalog.tables import categories
from shared.catalog.tree import NAMED, Category, category_to_change
from shared.runtime import Request, Work, http
from shared.vocabulary import Line

CHANGE = (
    update(categories)
    .where(categories.c.id == bindparam("category_id"))
    .values(name=bindparam("name"), slug=bindparam("slug"), version=bindparam("version"), updated_at=bindparam("now"))
)


class UpdateCategory(Request):
    category: CategoryName
    expected_version: int
    name: Line = ""
    slug: Slug = ""


@http("PATCH /v1/categories/{category}", role="admin", if_match=True, writes=[categories], emits=[CategoryUpdated])
async def update_category(request: UpdateCategory, work: Work) -> Category:
    """A patch that changes nothing makes no new version. Raises UnknownCategory, StaleVersion, SlugTaken."""
    before = await category_to_change(work, request.category, request.expected_version)
    after = before.model_copy(update=request.model_dump(exclude_unset=True, include={"name", "slug"}))
    if after == before:
        return before
    if after.slug != before.slug and await work.db.one(NAMED, category=after.slug):
        raise SlugTaken(slug=after.slug)
    after = after.model_copy(update={"version": before.version + 1, "updated_at": work.now})
    said = {"category_id": after.id, "name": after.name, "slug": after.slug, "version": after.version}
    await work.db.send(CHANGE, **said, now=work.now)
    work.emit(CategoryUpdated.model_validate(after.model_dump()))
    return after
