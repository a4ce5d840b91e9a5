"""List the products on sale, filtered and sorted, in keyset pages (PROD-003, PROD-006, PROD-008)."""

from typing import Annotated

from shared.catalog.browsing import (
    SORTS,
    Filters,
    SortName,
    Wanted,
    next_key,
    page_statement,
    values_after,
)
from shared.catalog.following import STOCK
from shared.catalog.listings import ListedProduct, shown
from shared.catalog.tables import categories, listings, search_entries, stock
from shared.runtime import Page, Work, http


class ListProducts(Filters):
    sort: SortName = "newest"


@http(
    "GET /v1/products",
    role="public",
    cache_s=5,
    follows=STOCK,
    reads=[search_entries, listings, categories, stock],
    warm=True,
)
async def list_products(request: ListProducts, work: Work) -> Page[Annotated[bytes, ListedProduct]]:
    """Raises UnknownCategory."""
    wanted, after = await Wanted.by(request, work), values_after(request.cursor, SORTS[request.sort])
    statement = page_statement(request.sort, wanted.filters, wanted.attributes, after=bool(after))
    rows = await work.db.all(statement, **wanted.values, **after, count=request.limit + 1)
    items = [shown(row.document, row.stock, request.fields) for row in rows[: request.limit]]
    return Page(items, next_key(rows, request.limit))
