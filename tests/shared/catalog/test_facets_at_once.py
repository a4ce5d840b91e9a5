"""Facets come with the page where there are no filters, else beside it: both ways they say the same."""

import pytest

from functions.catalog.search_products import SearchProducts, search_products
from infra.local.postgres import Cloned
from tests.conftest import Run
from tests.shared.catalog.test_search_quality import fill, titles


@pytest.mark.parametrize("q", ["", "red", "hanging heart", "nothing of the kind"])
async def test_facets_are_the_same_with_a_filter_that_keeps_all(run: Run, database: Cloned, q: str) -> None:
    fill(database.owner_url, titles())

    at_once, _ = await run(search_products, SearchProducts(q=q, facets=True))
    beside, _ = await run(search_products, SearchProducts(q=q, facets=True, price_min=0))

    assert at_once.items == beside.items
    assert at_once.about == beside.about
    assert bool(at_once.about.facets.price) == bool(at_once.items)
