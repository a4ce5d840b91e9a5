"""Products and categories on the command line, against a shop of real processes with the demo's gifts."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from infra.cli.__main__ import cli
from tests.infra.cli.conftest import Serve


def kn_shop(shop_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--url", shop_url, *arguments], catch_exceptions=False)


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def odd(shop_url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A draft whose SKUs hold what must be encoded in a path."""
    variants = [
        {"sku": sku, "price_minor": price, "options": {"size": size}}
        for sku, price, size in (("ODD/1 S", 250, "S"), ("ODD/2", 300, "L"))
    ]
    (file := tmp_path_factory.mktemp("odd") / "odd.ndjson").write_text(
        json.dumps({"title": "An odd one", "status": "draft", "category": "mugs-and-tea", "variants": variants})
    )
    assert kn_shop(shop_url, "product", "import", str(file)).exit_code == 0


def test_a_list_for_people_and_for_programs(shop_url: str) -> None:
    table = kn_shop(shop_url, "product", "list", "--limit", "2")
    bare = kn_shop(shop_url, "product", "list", "--limit", "2", "--no-headers")
    names = kn_shop(shop_url, "product", "list", "--category", "mugs-and-tea", "--sort", "price", "-o", "name")

    assert table.stdout.splitlines()[0].split() == ["SLUG", "TITLE", "SKUS", "PRICE", "AVAILABILITY"]
    assert len(bare.stdout.splitlines()) == 2
    assert names.stdout.splitlines() == [
        "product/blue-stoneware-mug-mug-blue",
        "product/robin-on-a-branch-mug-mug-robin",
        "product/vintage-tea-tin-tea-tin",
    ]


def test_a_list_of_some(shop_url: str) -> None:
    red = told(kn_shop(shop_url, "product", "list", "--attribute", "colour:red", "--category", "kitchen", "-o", "json"))
    assert {item["slug"] for item in red["items"]} == {
        "robin-on-a-branch-mug-mug-robin",
        "red-retrospot-lunch-bag-lunch-bag",
    }


def test_a_category_that_is_not_there(shop_url: str) -> None:
    missing = kn_shop(shop_url, "product", "list", "--category", "none")

    assert missing.exit_code == 1
    assert "There is no such category" in missing.stderr


@pytest.mark.parametrize("name", ["MUG-BLUE", "blue-stoneware-mug-mug-blue"])
def test_a_product_for_staff(shop_url: str, name: str) -> None:
    found = kn_shop(shop_url, "product", "describe", name)

    assert found.exit_code == 0
    lines = [" ".join(line.split()) for line in found.stdout.splitlines()]
    assert {"Product: Blue stoneware mug", "Status: published", "Category: Kitchen > Mugs and tea"} <= {*lines}
    assert "SKU OPTIONS PRICE ON HAND HELD COMMITTED AVAILABLE STATUS" in lines
    assert re.match(r"MUG-BLUE 8.95 GBP 1[34]\d \d+ \d+ 1[34]\d in_stock", lines[-1]), "other tests buy some"


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("sku", ["ODD/1 S", "ODD/2"])
def test_a_sku_may_hold_anything(shop_url: str, sku: str) -> None:
    found = told(kn_shop(shop_url, "product", "describe", sku, "-o", "json"))

    assert (found["status"], [variant["sku"] for variant in found["variants"]]) == ("draft", ["ODD/1 S", "ODD/2"])
    assert found["stock"] == {"ODD/1 S": None, "ODD/2": None}
    assert [crumb["slug"] for crumb in found["breadcrumbs"]] == ["kitchen", "mugs-and-tea"]


@pytest.mark.usefixtures("odd")
def test_prices_that_differ(shop_url: str) -> None:
    found = kn_shop(shop_url, "product", "describe", "ODD/1 S").stdout

    assert "from 2.50 GBP" in found
    assert "ODD/2     size: L   3.00 GBP   -" in found


@pytest.fixture
async def customer(shop_url: str) -> str:
    wanted = {"subject": "ada", "roles": ["customer"]}
    async with aiohttp.ClientSession() as session, session.post(f"{shop_url}/dev/tokens", json=wanted) as answer:
        return str((await answer.json())["token"])


@pytest.mark.usefixtures("odd")
def test_a_product_for_those_who_are_no_staff(shop_url: str, customer: str) -> None:
    shown = kn_shop(shop_url, "--token", customer, "product", "describe", "MUG-BLUE")
    hidden = kn_shop(shop_url, "--token", customer, "product", "describe", "ODD/1 S")
    stranger = kn_shop(shop_url, "--token", "made-up", "product", "describe", "MUG-BLUE")

    assert shown.exit_code == 0
    assert "Status:" not in shown.stdout
    assert "SKU        OPTIONS   PRICE      AVAILABILITY" in shown.stdout
    assert (hidden.exit_code, stranger.exit_code) == (1, 4)


def test_a_product_that_is_not_there(shop_url: str) -> None:
    missing = kn_shop(shop_url, "product", "describe", "NO-SUCH-MUG")

    assert missing.exit_code == 1
    assert "Error: There is no such product" in missing.stderr


def test_a_search_for_people(shop_url: str) -> None:
    found = kn_shop(shop_url, "product", "search", "mug", "--facets").stdout
    meant = kn_shop(shop_url, "product", "search", "stonewear", "mugg").stdout
    nothing = kn_shop(shop_url, "product", "search", "zeppelin").stdout

    assert found.startswith("Found: 2, shown: 2.\n\nSLUG ")
    assert "CATEGORY       PRODUCTS\nkitchen        2\nmugs-and-tea   2\n" in found
    assert "PRICE              PRODUCTS\n5.00 to 9.99 GBP   2\n" in found
    assert "ATTRIBUTE colour   PRODUCTS\nblue               1\nred                1\n" in found
    assert meant.startswith("Nothing was found for 'stonewear mugg'; this is for 'stoneware mug'.\nFound: 1,")
    assert nothing == "Found: 0.\n"


def test_a_search_for_programs(shop_url: str) -> None:
    found = told(kn_shop(shop_url, "product", "search", "mug", "--sort", "-price", "-o", "json"))
    names = kn_shop(shop_url, "product", "search", "mug", "--category", "kitchen", "--limit", "1", "-o", "name")

    assert (found["total"], found["total_is_exact"], found["did_you_mean"], found["facets"]) == (2, True, None, None)
    assert [item["variants"][0]["sku"] for item in found["items"]] == ["MUG-ROBIN", "MUG-BLUE"]
    assert len(names.stdout.splitlines()) == 1


def test_the_tree_of_categories(shop_url: str) -> None:
    tree = kn_shop(shop_url, "category", "list").stdout.splitlines()
    names = kn_shop(shop_url, "category", "list", "-o", "name").stdout.splitlines()

    assert tree[0].split() == ["CATEGORY", "SLUG", "PRODUCTS"]
    assert tree[1].split() == ["Kitchen", "kitchen", "6"]
    assert tree[2].startswith("  Mugs and tea ")
    assert names[:3] == ["category/kitchen", "category/mugs-and-tea", "category/baking"]


def test_a_category(shop_url: str) -> None:
    below = kn_shop(shop_url, "category", "describe", "mugs-and-tea").stdout
    above = told(kn_shop(shop_url, "category", "describe", "kitchen", "-o", "json"))

    assert "Stands in:   Kitchen" in below
    assert [child["slug"] for child in above["children"]] == ["mugs-and-tea", "baking"]


async def test_a_shop_without_an_issuer_shows_what_is_on_sale(serve: Serve, shop_url: str) -> None:
    """As one on a cluster does to whoever has no token."""
    listed = await asyncio.to_thread(kn_shop, shop_url, "product", "list", "--limit", "1", "-o", "json")
    shown = told(listed)["items"][0] | {"breadcrumbs": []}

    async def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/v1/products/"):
            return web.json_response(shown)
        return web.json_response({}, status=404)

    described = await asyncio.to_thread(kn_shop, await serve(answer), "product", "describe", "any")

    assert described.exit_code == 0, described.stderr
    assert "AVAILABILITY" in described.stdout
