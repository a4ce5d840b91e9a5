"""Suggest products and categories while a shopper types (PROD-005)."""

from typing import Annotated

from pydantic import Field

from shared.catalog.spelling import corrected
from shared.catalog.suggesting import BEST_SELLING, BY_WORDS, CATEGORIES, values_of
from shared.catalog.tables import categories, products, search_entries, words
from shared.runtime import Rate, Request, View, Work, http

PRODUCTS, CATEGORIES_SHOWN = 5, 3


class SuggestSearches(Request):
    """`q` is what was typed so far; each of its words may be the beginning of one."""

    q: Annotated[str, Field(min_length=1, max_length=200, examples=["whi"])]


class SuggestedProduct(View):
    title: str
    slug: str


class SuggestedCategory(View):
    name: str
    slug: str


class Suggestions(View):
    """Titles and names that begin as typed come first, then what sells best.

    `did_you_mean` is what was looked for instead, because nothing begins like `q`.
    """

    products: list[SuggestedProduct]
    categories: list[SuggestedCategory]
    did_you_mean: str | None


@http(
    "GET /v1/search/suggestions",
    role="public",
    cache_s=30,
    rate=Rate(per_s=100, burst=500),
    reads=[search_entries, products, categories, words],
    warm=True,
)
async def suggest_searches(request: SuggestSearches, work: Work) -> Suggestions:
    found = await _suggested(request.q, work)
    if not (found.products or found.categories) and (meant := await corrected(work, request.q)):
        found = (await _suggested(meant, work)).model_copy(update={"did_you_mean": meant})
    return found


async def _suggested(typed: str, work: Work) -> Suggestions:
    values = values_of(typed)
    if values is None:
        return Suggestions(products=[], categories=[], did_you_mean=None)
    best_selling = work.db.enqueue(BEST_SELLING, **values, count=PRODUCTS)
    named = await work.db.all(CATEGORIES, **values, count=CATEGORIES_SHOWN)
    rows = await best_selling.all()
    if len(rows) < PRODUCTS:
        rows = [*rows, *await work.db.all(BY_WORDS, **values, count=PRODUCTS)]
    titles = {row.slug: SuggestedProduct(title=row.title, slug=row.slug) for row in rows}
    return Suggestions(
        products=list(titles.values())[:PRODUCTS],
        categories=[SuggestedCategory(name=row.name, slug=row.slug) for row in named],
        did_you_mean=None,
    )
