"""Search the products on sale by words, with filters, sorts and facets (PROD-005, PROD-006, PROD-008)."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from shared.catalog import metrics
from shared.catalog.browsing import SORTS, Filters, SortName, Wanted, next_key, values_after
from shared.catalog.facets import COUNTS, KEYS, PRICE_STEPS_MINOR, Count, Facets, facets_of, facets_statement
from shared.catalog.following import STOCK
from shared.catalog.listings import ListedProduct, shown
from shared.catalog.searching import AT_MOST, query_of, search_statement, snippet_of
from shared.catalog.spelling import corrected
from shared.catalog.tables import categories, listings, products, search_entries, stock, words
from shared.runtime import Page, Rate, View, Work, http
from shared.runtime.pipeline import Row

FOUND, CORRECTED, EMPTY = map(metrics.SEARCHES.labels, ("found", "corrected", "empty"))


class SearchProducts(Filters):
    """`q`: words, "phrases", -negation, OR; the last word also as a beginning. Without `q` only the filters count.

    `sort` is by relevance where there is a `q`, else by what sells best. `facets=true` asks for counts by facet.
    """

    q: Annotated[str, Field(max_length=200, examples=["red mug"])] = ""
    sort: Literal["relevance"] | SortName | None = None
    facets: bool = False

    @property
    def sort_name(self) -> str:
        if not self.q.strip() and self.sort in (None, "relevance"):
            return "best_selling"
        return self.sort or "relevance"


class FoundProduct(ListedProduct):
    """`snippet` is HTML: what matched stands in <mark>, all else is escaped."""

    snippet: str


class Found(View):
    """`total` counts all matches; where `total_is_exact` is false there are more, and facets count the first of them.

    `did_you_mean` is what was searched for instead, because nothing was found for `q`.
    """

    total: int
    total_is_exact: bool
    did_you_mean: str | None
    facets: Facets | None


@http(
    "GET /v1/search",
    role="public",
    cache_s=5,
    follows=STOCK,
    rate=Rate(per_s=100, burst=500),
    reads=[search_entries, listings, products, categories, words, stock],
    warm=True,
)
async def search_products(
    request: SearchProducts, work: Work
) -> Annotated[Page[Annotated[bytes, FoundProduct]], Found]:
    """Raises UnknownCategory."""
    wanted = await Wanted.by(request, work)
    rows, facets = await _search(request, request.q, wanted, work)
    meant = None
    if not rows[0].total and (meant := await corrected(work, request.q)):
        rows, facets = await _search(request, meant, wanted, work)
    total = rows[0].total
    if request.cursor is None:
        (CORRECTED if meant and total else FOUND if total else EMPTY).inc()
    found = [row for row in rows if row.product_id is not None]
    items = [_item(row, request) for row in found[: request.limit]]
    about = Found(total=min(total, AT_MOST), total_is_exact=total <= AT_MOST, did_you_mean=meant, facets=facets)
    return Page(items, next_key(found, request.limit), about)


async def _search(request: SearchProducts, q: str, wanted: Wanted, work: Work) -> tuple[list[Row], Facets | None]:
    after = values_after(request.cursor, SORTS[request.sort_name])
    searched = bool(q.strip())
    query = (await query_of(q, work))._asdict() if searched else {}
    shape: dict[str, Any] = {"filters": wanted.filters, "attributes": wanted.attributes, "searched": searched}
    if request.facets and not wanted.values:  # what is found is what is counted: one look-up will do
        counted = f", {KEYS}, '{{}}'::text[] as failed", COUNTS
        statement = search_statement(request.sort_name, after=bool(after), counted=counted, **shape)
        rows = await work.db.all(statement, **query, **after, count=request.limit + 1, steps=PRICE_STEPS_MINOR)
        return rows, facets_of(Count(**count) for count in orjson.loads(rows[0].counts or "[]"))
    page = search_statement(request.sort_name, after=bool(after), **shape)
    pending = work.db.enqueue(page, **query, **wanted.values, **after, count=request.limit + 1)
    if not request.facets:
        return await pending.all(), None
    names = {f"name_{number}": f"attribute:{name}" for number, name in enumerate(request.attributes())}
    pending_counts = work.db.enqueue(
        facets_statement(**shape), **query, **wanted.values, **names, steps=PRICE_STEPS_MINOR
    )
    return await pending.all(), facets_of(await pending_counts.all())


def _item(row: Row, request: SearchProducts) -> bytes:
    members = {} if row.snippet is None else {"snippet": snippet_of(row.snippet)}
    return shown(row.document, row.stock, request.fields, **members)
