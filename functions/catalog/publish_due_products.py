"""Publish the drafts whose time has come (PROD-001)."""

from shared.catalog.content import changed, news_of
from shared.catalog.events import ProductPublished
from shared.catalog.listings import list_now
from shared.catalog.products import change, product_of, products_where
from shared.catalog.tables import DERIVED, SOURCES, products
from shared.runtime import Work, timer

AT_ONCE = 200
"""So many products are published by one tick; the next tick goes on."""

DUE = products_where("publish_at <= :now order by publish_at limit :count for update of p skip locked")


@timer(
    "*/10 * * * * *",
    reads=SOURCES,
    writes=[products, *DERIVED],
    emits=[ProductPublished],
)
async def publish_due_products(work: Work) -> None:
    """A missed tick publishes late, never not at all."""
    drafts = [product_of(row) for row in await work.db.all(DUE, now=work.now, count=AT_ONCE)]
    if not drafts:
        return
    published = [changed(draft, {"status": "published", "publish_at": None}, work.now) for draft in drafts]
    await change(work, published)
    await list_now(work, [product.id for product in published])
    for before, after in zip(drafts, published, strict=True):
        for news in news_of(before, after):
            work.emit(news)
