"""Many products written at once, each on its own merits: all statements are about all of them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import text

from shared.catalog.content import (
    Content,
    Product,
    changed,
    created,
    news_of,
)
from shared.catalog.listings import list_now, unlist
from shared.catalog.products import (
    change,
    insert,
    product_of,
    products_where,
    set_variants,
)
from shared.catalog.sheets import Entry
from shared.runtime import Work
from shared.runtime.problems import Unavailable

BY_NAMES = products_where("""p.slug = any(cast(:slugs as text[]))
  or p.id in (select product_id from catalog.variants where sku = any(cast(:skus as text[])))
order by p.slug for update of p""")

OWNERS = text("select sku, product_id from catalog.variants where sku = any(cast(:skus as text[]))")

CATEGORIES = text("""
select id, slug from catalog.categories where slug = any(cast(:names as text[])) or cast(id as text) = any(:names)
""")


Status = Literal["created", "updated", "unchanged", "failed"]


class Outcome(NamedTuple):
    rows: range
    slug: str
    status: Status
    errors: list[str]


class Shelf:
    """What the shop has of the products, SKUs and categories that a file names."""

    def __init__(self, products: Sequence[Product], owners: dict[str, UUID], categories: dict[str, UUID]) -> None:
        self.by_slug = {product.slug: product for product in products}
        self.by_sku = {sku: product for product in products for sku in product.skus}
        self.owners = owners
        self.categories = categories
        self.seen: set[UUID | str] = set()
        self.written: list[tuple[Product | None, Product]] = []

    @classmethod
    async def of(cls, work: Work, entries: Sequence[Entry]) -> "Shelf":
        contents = [entry.content for entry in entries if entry.content is not None]
        skus = sorted({variant.sku for content in contents for variant in content.variants})
        names = sorted({content.category for content in contents if content.category})
        slugs = sorted({entry.slug for entry in entries if entry.content is not None})
        found = work.db.enqueue(BY_NAMES, slugs=slugs, skus=skus)
        owners = work.db.enqueue(OWNERS, skus=skus)
        categories = await work.db.all(CATEGORIES, names=names)
        return cls(
            [product_of(row) for row in await found.all()],
            {row.sku: row.product_id for row in await owners.all()},
            {name: row.id for row in categories for name in (row.slug, str(row.id))},
        )

    def place(self, entry: Entry, content: Content, work: Work) -> Outcome:
        """Decides what becomes of one entry, and remembers what is to be written."""
        if content.category and content.category not in self.categories:
            return Outcome(entry.rows, entry.slug, "failed", ["category: there is no such category"])
        category_id = self.categories[content.category] if content.category else None
        before = self.by_slug.get(entry.slug) or self.by_sku.get(content.variants[0].sku)
        if {before.id if before else None, entry.slug} & self.seen:
            return Outcome(entry.rows, entry.slug, "failed", ["slug: the product stands on earlier rows of this file"])
        if before is None:
            after = created(content, work.new_id(), category_id, work.now)
        else:
            unsaid = {"category"} if content.slug else {"category", "slug"}
            said = {name: getattr(content, name) for name in content.model_fields_set - unsaid}
            if "category" in content.model_fields_set:
                said["category_id"] = category_id
            after = changed(before, said, work.now)
        if taken := [sku for sku in after.skus if self.owners.get(sku, after.id) != after.id]:
            return Outcome(
                entry.rows, entry.slug, "failed", [f"sku: {sku} belongs to another product" for sku in taken]
            )
        self.owners |= dict.fromkeys(after.skus, after.id)
        self.seen |= {after.id, after.slug}
        if after is before:
            return Outcome(entry.rows, after.slug, "unchanged", [])
        self.written.append((before, after))
        return Outcome(entry.rows, after.slug, "updated" if before else "created", [])


async def bring(work: Work, entries: Sequence[Entry]) -> list[Outcome]:
    """Creates and changes what can be, and says what became of each entry.

    Raises Unavailable when another writer took a slug or a SKU meanwhile: the same file again says which.
    """
    shelf = await Shelf.of(work, entries)
    outcomes = [
        Outcome(entry.rows, entry.slug, "failed", entry.errors)
        if entry.content is None
        else shelf.place(entry, entry.content, work)
        for entry in entries
    ]
    await _write(work, shelf.written)
    return outcomes


async def _write(work: Work, written: Sequence[tuple[Product | None, Product]]) -> None:
    new = [after for before, after in written if before is None]
    old = [after for before, after in written if before is not None]
    sold = [after for before, after in written if before is None or before.variants != after.variants]
    if new and len(await insert(work, new)) < len(new):
        raise Unavailable(detail="Another writer took a slug of this file at the same moment.")
    if old:
        await change(work, old)
    if sold and len(await set_variants(work, sold)) < sum(len(product.variants) for product in sold):
        raise Unavailable(detail="Another writer took a SKU of this file at the same moment.")
    if listed := [after.id for _, after in written if after.status == "published"]:
        await list_now(work, listed)
    if unlisted := [after.id for before, after in written if before and after.status != "published"]:
        await unlist(work, unlisted)
    for before, after in written:
        for news in news_of(before, after):
            work.emit(news)
