"""Searches: what words, phrases and signs find, in which order, how it is counted; and whatever else is typed."""

import random
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.catalog.search_products import SearchProducts, search_products
from functions.catalog.suggest_searches import suggest_searches
from shared.catalog.facets import PRICE_STEPS_MINOR
from shared.catalog.searching import AT_MOST
from tests.conftest import Ask, Books
from tests.functions.catalog.conftest import Catalogue, refusal, said, walked
from tests.functions.catalog.test_listing import FORGED
from tests.functions.catalog.things import CATEGORIES, Thing, expected, put_on_sale

TITLES = {
    "blue-mug": ("Blue stoneware mug", ""),
    "red-mug": ("Red enamel mug", "Goes with the blue teapot."),
    "teapot": ("Teapot for two", "Stoneware."),
    "cafe": ("Café crème cups", "A set of six"),
    "lights": ("String of running lights", ""),
    "script": ("<script>alert('mug')</script> \"beaker\"", 'Holds < 1 l & > 0.5 l; it\'s "brave" </mark>'),
}


@pytest.fixture
async def shop(catalogue: Catalogue) -> Catalogue:
    for slug, (title, description) in TITLES.items():
        await catalogue.create(f"SKU-{slug}", slug=slug, title=title, description=description)
    return catalogue


async def found(shop: Catalogue, q: str, query: str = "") -> list[str]:
    return await shop.found(f"q={quote(q)}&{query}")


async def test_what_words_and_signs_find(shop: Catalogue) -> None:
    for q, slugs in (
        ("stoneware", {"blue-mug", "teapot"}),
        ("blue mug", {"blue-mug", "red-mug"}),
        ("blue mug -red", {"blue-mug"}),
        ('"stoneware mug"', {"blue-mug"}),
        ('"mug stoneware" ', set()),
        ("enamel or lights", {"red-mug", "lights"}),
        ("enamel OR running", {"red-mug", "lights"}),
        ("enam", {"red-mug"}),
        ("stoneware mu", set()),
        ("stoneware mug", {"blue-mug"}),
        ("run light", {"lights"}),
        ("MUGS", {"blue-mug", "red-mug"}),
        ("cafe", {"cafe"}),
        ("CAFÉ creme", {"cafe"}),
        ("sku-teapot", {"teapot"}),
        ("SKU-LIGHTS", {"lights"}),
        ("-mug lights", {"lights"}),
    ):
        assert set(await found(shop, q)) == slugs, q


async def test_a_title_goes_before_a_description(shop: Catalogue) -> None:
    assert await found(shop, "blue") == ["blue-mug", "red-mug"]
    await shop.create("TEA", slug="exact", title="Teapot")
    assert (await found(shop, "teapot"))[0] == "exact", "a title that is the whole search goes first"


async def test_the_words_of_attributes_and_options_are_found(catalogue: Catalogue) -> None:
    await catalogue.create("a", "b", slug="mug", attributes={"material": "Porcelain", "made in": "São Paulo"})
    for q, slugs in (("porcelain", ["mug"]), ("sao paulo", ["mug"]), ("material", []), ("porcelain -paulo", [])):
        assert await found(catalogue, q) == slugs, q


async def test_what_matched_is_marked_and_all_else_is_escaped(shop: Catalogue) -> None:
    (item,) = (await shop.search("q=brave"))["items"]
    assert item["snippet"].startswith("Holds &lt; 1 l &amp; &gt; 0.5 l; it&#x27;s &quot;<mark>brave</mark>&quot;")
    assert item["snippet"].count("</mark>") == 1
    await shop.update("script", description="")
    (item,) = (await shop.search("q=beaker"))["items"]
    assert "&quot;<mark>beaker</mark>&quot;" in item["snippet"]
    assert "<script" not in item["snippet"]
    assert item["title"] == TITLES["script"][0], "JSON holds what was written"
    assert all("snippet" not in item for item in (await shop.search())["items"]), "nothing was searched for"


async def test_marks_that_stand_in_a_text_do_no_harm(catalogue: Catalogue) -> None:
    await catalogue.create("mug", description="\ue000\ue001 <img src=x onerror=alert(1)> mug \ue000")
    (item,) = (await catalogue.search("q=mug"))["items"]
    assert "<img" not in item["snippet"]


async def test_what_is_found_is_a_listed_product(shop: Catalogue) -> None:
    (item,) = (await shop.search("q=enamel"))["items"]
    (listed,) = [one for one in (await shop.page())["items"] if one["slug"] == "red-mug"]
    assert {name: value for name, value in item.items() if name != "snippet"} == listed


async def test_only_what_is_on_sale_is_found(shop: Catalogue) -> None:
    await shop.create("draft", title="Draft mug", status="draft")
    await shop.update("red-mug", status="archived")
    assert await found(shop, "mug") == ["blue-mug"]
    assert await found(shop, "draft") == []
    assert "red-mug" not in await shop.found("")


async def test_pages_of_every_sort(shop: Catalogue) -> None:
    for number in range(9):
        await shop.create(f"m{number}", slug=f"m{number}", title="Mug", price_minor=100 * (number % 3))
    for sort in ("", "sort=relevance", "sort=newest", "sort=-price", "sort=title", "sort=-best_selling"):
        items = await walked(shop.search, f"limit=2&q=mug&{sort}")
        slugs = [item["slug"] for item in items]
        assert sorted(slugs) == sorted(await found(shop, "mug"))
        assert slugs == await found(shop, "mug", sort), sort
    prices = [item["price_minor"] for item in await walked(shop.search, "limit=2&q=mug&sort=-price")]
    assert prices == sorted(prices, reverse=True)


async def test_totals_count_all_pages(shop: Catalogue) -> None:
    page = await shop.search("q=mug&limit=1")
    assert (page["total"], page["total_is_exact"], len(page["items"])) == (2, True, 1)
    last = await shop.search(f"q=mug&limit=1&cursor={page['next_cursor']}")
    assert (last["total"], last["next_cursor"]) == (2, None)
    assert (await shop.search("q=nothinglikeit"))["total"] == 0
    assert (await shop.search(""))["total"] == len(TITLES)


async def test_a_great_many_are_counted_as_at_least(catalogue: Catalogue, db: Books) -> None:
    await db.run(
        """with made as (
          insert into catalog.products
            (id, slug, title, description, status, version, created_at, updated_at, published_at)
          select gen_random_uuid(), 'm-' || n, 'Mug', '', 'published', 1, now(), now(), now()
          from generate_series(1, %(many)s) as n returning id, slug
        )
        insert into catalog.variants (sku, product_id, position, price_minor, currency)
        select slug, id, 0, 100, 'GBP' from made""",
        many=AT_MOST + 10,
    )
    for sql in (
        """insert into catalog.search_entries (product_id, category_id, title_key, price_minor, currency, published_at,
          units_sold, availability, attributes, about, lexemes)
        select product_id, category_id, title_key, price_minor, currency, published_at, units_sold, availability,
          attributes, about, lexemes from catalog.listings_now""",
        """insert into catalog.listings (product_id, version, document, stock, stock_at)
        select product_id, version, document, stock, stock_at from catalog.listings_now""",
        "insert into catalog.words values ('mug', catalog.deletions('mug'))",
    ):
        await db.run(sql)
    for query in ("q=mug", "facets=true"):
        page = await catalogue.search(query)
        assert (page["total"], page["total_is_exact"]) == (AT_MOST, False)


async def test_did_you_mean(shop: Catalogue) -> None:
    for typed, meant, slug in (
        ("teapto", "teapot", "teapot"),
        ("stonwear mug", None, "blue-mug"),
        ("Enamle MUG", "enamel mug", "red-mug"),
        ("runing ligths", None, "lights"),
    ):
        page = await shop.search(f"q={quote(typed)}")
        assert page["did_you_mean"] is not None, typed
        assert meant is None or page["did_you_mean"] == meant
        assert slug in [item["slug"] for item in page["items"]]
    for typed in ("mug", "zzzzqqqq", "", "x", "-"):
        assert (await shop.search(f"q={quote(typed)}"))["did_you_mean"] is None


async def test_a_correction_keeps_the_filters(shop: Catalogue) -> None:
    page = await shop.search("q=teapto&price_min=10000")
    assert (page["items"], page["total"]) == ([], 0)


def facets_by_hand(things: list[Thing], filters: list[str]) -> dict[str, Any]:
    """Each facet counts what all filters but its own let through."""

    def but(*own: str) -> list[Thing]:
        kept = [one for one in filters if not one.startswith(own)]
        slugs = set(expected(things, "&".join(kept)))
        return [thing for thing in things if thing.slug in slugs]

    categories: Counter[str] = Counter()
    for thing in but("category="):
        categories.update(slug for slug in CATEGORIES if thing.stands_in(slug))
    prices = Counter(
        (thing.currency, sum(thing.price >= step for step in PRICE_STEPS_MINOR)) for thing in but("price_", "currency=")
    )
    colours = Counter(thing.colour for thing in but("attribute=colour:") if thing.colour)
    sizes = Counter(size for thing in but("attribute=size:") for size in thing.sizes)
    edges = [0, *PRICE_STEPS_MINOR]
    attributes = {"colour": dict(colours), "size": dict(sizes)}
    return {
        "category": dict(categories),
        "availability": dict(Counter(thing.stock for thing in but("availability="))),
        "price": {(currency, edges[bucket], edges[bucket + 1]): count for (currency, bucket), count in prices.items()},
        "attribute": {name: counts for name, counts in attributes.items() if counts},
    }


def counted(facets: Any) -> dict[str, Any]:
    ranges = {(one["currency"], one["from_minor"], one["below_minor"]): one["count"] for one in facets["price"]}
    return {
        "category": {one["slug"]: one["count"] for one in facets["category"]},
        "availability": {one["value"]: one["count"] for one in facets["availability"]},
        "price": ranges,
        "attribute": {
            name: {one["value"]: one["count"] for one in values} for name, values in facets["attribute"].items()
        },
    }


FILTERS = [
    "category=kitchen", "category=mugs", "price_min=250", "price_max=250", "currency=GBP", "availability=low",
    "availability=in_stock", "attribute=colour:red", "attribute=colour:blue", "attribute=size:S", "attribute=size:L",
]  # fmt: skip


async def test_facets_count_what_one_more_filter_would_find(catalogue: Catalogue, db: Books) -> None:
    things = await put_on_sale(catalogue, db)
    chance = random.Random(5)
    tried = [[], *([one] for one in FILTERS), *(chance.sample(FILTERS, chance.randint(2, 5)) for _ in range(30))]
    for filters in tried:
        if sum(one.startswith("category=") for one in filters) > 1:
            continue
        for q, matching in (("", things), ("mug", [thing for thing in things if thing.title.lower() == "mug"])):
            page = await catalogue.search(f"facets=true&q={q}&{'&'.join(filters)}")
            assert counted(page["facets"]) == facets_by_hand(matching, filters), (q, filters)
            assert page["total"] == len(expected(matching, "&".join(filters)))


async def test_facets_are_only_there_when_asked_for(shop: Catalogue) -> None:
    assert (await shop.search("q=mug"))["facets"] is None
    facets = (await shop.search("q=nothinglikeit&facets=true"))["facets"]
    assert facets == {"category": [], "availability": [], "price": [], "attribute": {}}


STRANGE = [
    "'", '"', '"unclosed', "\\", "\\'", "a & b", "a | !b", "!", "(", ")))", ":*", "mug:*", "mug:A", "<->", "a <2> b",
    "--", "- -", "-", "OR", "or or", "OR mug", "mug OR", "-mug", '-"', '""', '" "', " ", "\t\n", "%", "_", "*", "?",
    "'; drop table catalog.products; --", "' or 1=1 --", "$1", ":q", "%(q)s", "{0}", "😀", "😀 mug", "\u202e", "\ufeff",
    "ﷺ" * 200, "㍿" * 200, "x" * 200, "." * 200, "!&|()<>:*'\"\\-" * 15, "a " * 100, "-a " * 60, "or " * 66,
    "the", "a an the of", "ß", "İI", "猫 ねこ", "1e9", "85123A", "http://example.com/a?b=c", "a@b.c", "/", "a/b/c",
    "\x01\x1f\x7f", "\ue000mug\ue001", "ab" * 20 + " mug", "é" * 100, "\u0301" * 200, "it's", "o'clock mug",
]  # fmt: skip


async def test_whatever_is_typed_is_answered(shop: Catalogue, ask: Ask) -> None:
    for typed in STRANGE:
        for path, function in (
            ("/v1/search?facets=true", search_products),
            ("/v1/search/suggestions?", suggest_searches),
        ):
            answer = await ask(function, f"{path}&q={quote(typed)}")
            assert answer.status == 200, (path, typed, answer)
    assert len(await shop.listed()) == len(TITLES)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.sampled_from(" \"'\\-orOR|&!():*<>mugé😀\n1/_."), max_size=40))
async def test_whatever_signs_come_together_are_answered(ask: Ask, typed: str) -> None:
    answer = await ask(search_products, f"/v1/search?q={quote(typed)}")
    assert answer.status == 200, typed


async def test_a_search_that_makes_no_sense_is_refused(ask: Ask) -> None:
    for query in ("q=%00", f"q={'x' * 201}", "facets=perhaps", "q=a&q=b", "sort=best", "attribute=x", "fields=q"):
        assert refusal(await ask(search_products, f"/v1/search?{query}")) == (422, "validation-failed"), query


async def test_cursors_and_categories_that_are_none(shop: Catalogue, ask: Ask) -> None:
    for forged in FORGED:
        answer = await ask(search_products, f"/v1/search?q=mug&cursor={forged}")
        assert answer.status in (200, 422), forged
    assert refusal(await ask(search_products, "/v1/search?q=mug&category=no")) == (404, "unknown-category")


async def test_a_search_is_told_by_its_etag(shop: Catalogue, ask: Ask) -> None:
    answer = await ask(search_products, "/v1/search?q=mug")
    fresh = await ask(search_products, "/v1/search?q=mug", if_none_match=answer.headers["etag"])
    assert (fresh.status, answer.headers["cache-control"]) == (304, "public, max-age=5")


def test_without_words_what_sells_best_comes_first() -> None:
    assert SearchProducts(q=" ").sort_name == SearchProducts(sort="relevance").sort_name == "best_selling"
    assert SearchProducts(q="mug").sort_name == "relevance"
    assert SearchProducts(q="mug", sort="price").sort_name == "price"


async def test_words_that_are_gone_are_not_meant(shop: Catalogue) -> None:
    await shop.update("teapot", status="archived")
    await shop.update("red-mug", description="")
    assert (await shop.search("q=teapto"))["did_you_mean"] is None
    assert said(await shop.show("lights"))["slug"] == "lights"
