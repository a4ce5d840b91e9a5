"""Create a category at its place in the tree (PROD-007)."""

from sqlalchemy import insert

from shared.catalog.content import CategoryName, Slug, slug_of
from shared.catalog.events import CategoryCreated
from shared.catalog.problems import SlugTaken
from shared.catalog.tables import categories
from shared.catalog.tree import NAMED, Category, Position, category_named, lock_tree, put_in_order
from shared.runtime import Request, Work, http
from shared.vocabulary import Line

INSERT = insert(categories)


class CreateCategory(Request):
    """Without a `parent` it is a root; without a `position` it is the last. The slug is made from the name at need."""

    name: Line
    slug: Slug | None = None
    parent: CategoryName | None = None
    position: Position = 100_000


@http(
    "POST /v1/categories",
    status=201,
    role="admin",
    idempotent="optional",
    writes=[categories],
    emits=[CategoryCreated],
)
async def create_category(request: CreateCategory, work: Work) -> Category:
    """Raises SlugTaken, UnknownCategory."""
    await lock_tree(work)
    parent = None if request.parent is None else await category_named(work, request.parent)
    slug = request.slug or slug_of(request.name)
    if await work.db.one(NAMED, category=slug):
        raise SlugTaken(slug=slug)
    category = Category(
        id=work.new_id(),
        slug=slug,
        name=request.name,
        parent_id=parent.id if parent else None,
        ancestors=[*parent.ancestors, parent.id] if parent else [],
        position=request.position,
        version=1,
        created_at=work.now,
        updated_at=work.now,
    )
    await work.db.send(INSERT, **category.model_dump())
    category = await put_in_order(work, category)
    work.emit(CategoryCreated.model_validate(category.model_dump()))
    return category
