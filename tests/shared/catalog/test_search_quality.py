"""What a shopper would search for finds what it should, among a real retailer's titles.

tests/data/titles.csv has what the retailer of "Online Retail" (D. Chen, UCI Machine Learning Repository, doi
10.24432/C5BW33, CC BY 4.0) sold most of from December 2010 to February 2011; tests/data/searches.csv has searches, each
with what counts as found well, as a regular expression over titles.
"""

import csv
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from functions.catalog.search_products import SearchProducts, search_products
from infra.local.postgres import Cloned
from tests.conftest import Run

DATA = Path(__file__).parents[2] / "data"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "search-quality.md"
FLOOR = 0.95
"""The mean of the precision of the first ten may not fall below."""

HEAD = """<!-- Generated from tests/data/searches.csv by `make search-quality`. -->
# Search quality

Searches that a shopper would make over the {titles} products that a real retailer sold most of; only their titles,
codes and sales are known. *Right of ten* says how many of the first ten are what was looked for, by the
judgement that stands beside each search in [tests/data/searches.csv](../../tests/data/searches.csv) as a regular
expression; where the catalogue has fewer than ten such and no others are shown, it is of so many. A test holds the
mean above {floor:.0%}.

| Search | Found | Right of ten | Instead searched for |
|---|---|---|---|
"""


class Search(NamedTuple):
    q: str
    relevant: re.Pattern[str]


class Judged(NamedTuple):
    q: str
    found: int
    right: int
    of: int
    instead: str | None

    @property
    def precision(self) -> float:
        return self.right / self.of


def searches() -> list[Search]:
    with (DATA / "searches.csv").open(newline="") as file:
        return [Search(row["q"], re.compile(row["relevant"])) for row in csv.DictReader(file)]


def titles() -> list[dict[str, str]]:
    with (DATA / "titles.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def fill(url: str, rows: Sequence[dict[str, str]]) -> None:
    """The titles on sale, derived as the view says."""
    with psycopg.connect(url, autocommit=True) as books:
        books.execute(
            """
            with sold as (
              select md5(sku)::uuid as id, r.* from json_to_recordset(%s::json)
                as r (sku text, title text, price_minor bigint, units_sold bigint)
            ), made as (
              insert into catalog.products
                (id, slug, title, description, status, version, created_at, updated_at, published_at)
              select id, lower('p-' || sku), title, '', 'published', 1, now(), now(), now() from sold
            ), priced as (
              insert into catalog.variants (sku, product_id, position, price_minor, currency)
              select sku, id, 0, price_minor, 'GBP' from sold
            )
            insert into catalog.sales (sku, units, ranked) select sku, units_sold, true from sold
            """,
            [json.dumps(rows)],
        )
        for table, columns in (
            ("listings", "product_id, version, document, stock, stock_at"),
            (
                "search_entries",
                """product_id, category_id, title_key, price_minor, currency, published_at, units_sold, availability,
                attributes, about, lexemes""",
            ),
        ):
            books.execute(
                f"insert into catalog.{table} ({columns}) select {columns} from catalog.listings_now".encode()  # noqa: S608
            )
        books.execute(
            """insert into catalog.words (word, deletions) select word, catalog.deletions(word)
            from (select distinct catalog.words_of(title_key, attributes) as word from catalog.search_entries) as w"""
        )


@pytest.fixture
async def judged(run: Run, database: Cloned) -> list[Judged]:
    sold = titles()
    fill(database.owner_url, sold)
    result = []
    for search in searches():
        page, _ = await run(search_products, SearchProducts(q=search.q, limit=10))
        first = [json.loads(item)["title"] for item in page.items]
        right = [title for title in first if search.relevant.search(title)]
        of = min(10, sum(bool(search.relevant.search(row["title"])) for row in sold))
        if os.environ.get("SHOW"):
            print(search.q, page.about.total, f"{len(right)}/{of}", page.about.did_you_mean, first, sep=" | ")
        result.append(Judged(search.q, page.about.total, len(right), max(of, len(first)), page.about.did_you_mean))
    return result


def page_of(judged: Sequence[Judged]) -> str:
    mean = sum(search.precision for search in judged) / len(judged)
    rows = "".join(
        f"| `{search.q}` | {search.found} | {search.right} of {search.of} | {search.instead or ''} |\n"
        for search in judged
    )
    head = HEAD.format(titles=f"{len(titles()):,}", floor=FLOOR)
    return f"{head}{rows}\nMean over {len(judged)} searches: {mean:.1%}.\n"


async def test_searches_find_what_they_should(judged: list[Judged]) -> None:
    page = page_of(judged)
    if os.environ.get("WRITE"):
        PAGE.write_text(page)
    assert sum(search.precision for search in judged) / len(judged) >= FLOOR
    assert PAGE.read_text() == page, "run `make search-quality`, and look at what changed"
