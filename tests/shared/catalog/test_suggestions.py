"""What a shopper may be typing, among a real retailer's titles."""

import pytest

from functions.catalog.search_products import SearchProducts, search_products
from functions.catalog.suggest_searches import SuggestSearches, suggest_searches
from infra.local.postgres import Cloned
from tests.conftest import Books, Run
from tests.shared.catalog.test_search_quality import fill, titles


@pytest.fixture(autouse=True)
async def sold(database: Cloned, db: Books) -> None:
    fill(database.owner_url, titles())
    await db.run("""insert into catalog.categories
        (id, slug, name, ancestors, position, version, created_at, updated_at)
      values (gen_random_uuid(), 'white-goods', 'White goods', '{}', 0, 1, now(), now()),
        (gen_random_uuid(), 'all-that-is-white', 'All that is white', '{}', 1, 1, now(), now())""")


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("red retr", "RED RETROSPOT"),
        ("regency cakes", "REGENCY CAKESTAND 3 TIER"),
        ("whi", "WHITE HANGING HEART T-LIGHT HOLDER"),
        ("doormat air", "DOORMAT AIRMAIL"),
        ("gingerb", "GINGERBREAD MAN COOKIE CUTTER"),
        ("T-LIGHT HOL", "T-LIGHT HOLDER"),
    ],
)
async def test_titles_that_begin_so_come_first(run: Run, typed: str, first: str) -> None:
    found, _ = await run(suggest_searches, SuggestSearches(q=typed))

    assert found.products[0].title.startswith(first)
    assert len(found.products) <= 5
    assert found.did_you_mean is None


async def test_categories_have_a_word_that_begins_so(run: Run) -> None:
    found, _ = await run(suggest_searches, SuggestSearches(q="whi"))

    assert [category.slug for category in found.categories] == ["white-goods", "all-that-is-white"]


async def test_a_mistyped_word_is_put_right(run: Run) -> None:
    found, _ = await run(suggest_searches, SuggestSearches(q="unbrella"))

    assert found.did_you_mean == "umbrella"
    assert all("UMBRELLA" in product.title for product in found.products)


@pytest.mark.parametrize("typed", ["%", "'", "\\", "!!!", "& |", "zzzzzzzz", "o'n", "white \u00e9", "a" * 200])
async def test_anything_may_be_typed(run: Run, typed: str) -> None:
    await run(suggest_searches, SuggestSearches(q=typed))


async def test_a_code_is_found_by_its_beginning(run: Run) -> None:
    page, _ = await run(search_products, SearchProducts(q="2242"))

    assert page.items
    assert all(b'"sku" : "2242' in item for item in page.items)
