"""A catalogue to fill and to look at, and a check after every test that what is derived agrees with its source."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from functions.catalog.create_category import create_category
from functions.catalog.create_product import create_product
from functions.catalog.delete_category import delete_category
from functions.catalog.delete_product import delete_product
from functions.catalog.export_products import export_products
from functions.catalog.get_category import get_category
from functions.catalog.get_product import get_product
from functions.catalog.import_products import import_products
from functions.catalog.inspect_product import inspect_product
from functions.catalog.list_categories import list_categories
from functions.catalog.list_products import list_products
from functions.catalog.move_category import move_category
from functions.catalog.rebuild_catalog import RebuildCatalog, rebuild_catalog
from functions.catalog.search_products import search_products
from functions.catalog.update_category import update_category
from functions.catalog.update_product import update_product
from shared.runtime.answers import Answer
from shared.runtime.settings import Settings
from tests.conftest import Ask, Books, Run

STAFF = ("admin",)
CSV = "text/csv"
NDJSON = "application/x-ndjson"

LATEST = """
select distinct on (key) key, type, convert_from(data, 'UTF8')::json ->> 'version' as version
from platform.outbox where type like 'shop.catalog.product.%%' order by key, position desc
"""
BROKEN_STREAMS = """
select key, sequences
from (
  select key, array_agg(sequence order by position) as sequences, count(*) as events
  from platform.outbox where topic = 'shop.catalog' group by key
) as streams
where sequences <> array(select generate_series(1, events))
"""


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


def refusal(answer: Answer) -> tuple[int, str]:
    """The status and the kind of problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer
    return answer.status, said(answer)["type"].rpartition(":")[2]


def product(*skus: str, price_minor: int = 100, **fields: Any) -> dict[str, Any]:
    """What a keeper writes: variants that differ by their size where there are several."""
    variants = [{"sku": sku, "price_minor": price_minor} for sku in skus or ("mug",)]
    if len(variants) > 1:
        variants = [variant | {"options": {"size": str(number)}} for number, variant in enumerate(variants)]
    return {"title": "A mug", "variants": variants, **fields}


class Catalogue:
    """The catalogue as its staff and the public call it. What is not expected to be refused gives its content."""

    def __init__(self, ask: Ask, db: Books) -> None:
        self.ask = ask
        self.db = db

    async def create(self, *skus: str, **fields: Any) -> Any:
        return await self._done(self.try_create(*skus, **fields), 201)

    async def try_create(self, *skus: str, **fields: Any) -> Answer:
        return await self.ask(create_product, "/v1/products", product(*skus, **fields), roles=STAFF)

    async def update(self, name: str, /, **patch: Any) -> Any:
        """On whatever version it has."""
        version = (await self.inspect(name))["version"]
        return await self._done(self.try_update(name, version, **patch), 200)

    async def try_update(self, name: str, version: int | str, /, **patch: Any) -> Answer:
        tag = version if isinstance(version, str) else f'"{version}"'
        return await self.ask(update_product, f"/v1/products/{name}", patch, roles=STAFF, if_match=tag)

    async def try_delete(self, name: str, version: int) -> Answer:
        return await self.ask(delete_product, f"/v1/products/{name}", roles=STAFF, if_match=f'"{version}"')

    async def inspect(self, name: str) -> Any:
        return await self._done(self.ask(inspect_product, f"/v1/admin/products/{name}", roles=STAFF), 200)

    async def show(self, name: str, query: str = "", **headers: Any) -> Answer:
        return await self.ask(get_product, f"/v1/products/{name}?{query}", **headers)

    async def page(self, query: str = "") -> Any:
        return await self._done(self.ask(list_products, f"/v1/products?{query}"), 200)

    async def listed(self, query: str = "") -> list[str]:
        """The slugs on one page."""
        return [item["slug"] for item in (await self.page(f"limit=100&{query}"))["items"]]

    async def search(self, query: str = "") -> Any:
        return await self._done(self.ask(search_products, f"/v1/search?{query}"), 200)

    async def found(self, query: str = "") -> list[str]:
        return [item["slug"] for item in (await self.search(f"limit=100&{query}"))["items"]]

    async def category(self, name: str, parent: str | None = None, **fields: Any) -> Any:
        body = {"name": name, "parent": parent, **fields}
        return await self._done(self.ask(create_category, "/v1/categories", body, roles=STAFF), 201)

    async def tree(self) -> list[str]:
        """Each category after its parent, indented by its depth, and how many products there are in it and below."""
        listed = await self._done(self.ask(list_categories, "/v1/categories?counts=true"), 200)
        return [f"{'.' * node['depth']}{node['slug']} {node['products']}" for node in listed["categories"]]

    async def show_category(self, name: str, **headers: Any) -> Answer:
        return await self.ask(get_category, f"/v1/categories/{name}", **headers)

    async def move(self, name: str, version: int, parent: str | None, **fields: Any) -> Answer:
        body = {"parent": parent, **fields}
        path = f"/v1/categories/{name}/place"
        return await self.ask(move_category, path, body, roles=STAFF, if_match=f'"{version}"')

    async def rename(self, name: str, version: int, /, **patch: Any) -> Answer:
        return await self.ask(update_category, f"/v1/categories/{name}", patch, roles=STAFF, if_match=f'"{version}"')

    async def remove(self, name: str, version: int, query: str = "") -> Answer:
        return await self.ask(delete_category, f"/v1/categories/{name}?{query}", roles=STAFF, if_match=f'"{version}"')

    async def bring(self, file: str | bytes, media_type: str = CSV) -> Any:
        return await self._done(self.try_bring(file, media_type), 200)

    async def try_bring(self, file: str | bytes, media_type: str = CSV, **headers: Any) -> Answer:
        body = file.encode() if isinstance(file, str) else file
        path = "/v1/admin/product-import"
        return await self.ask(import_products, path, body, roles=STAFF, content_type=media_type, **headers)

    async def export(self, query: str = "") -> bytes:
        answer = await self.ask(export_products, f"/v1/admin/product-export?{query}", roles=STAFF)
        assert answer.status == 200, answer
        return answer.body

    async def events(self) -> list[tuple[str, Any]]:
        """What was emitted, in order: "product.created" and its data."""
        rows = await self.db.all(
            "select type, convert_from(data, 'UTF8')::json as data from platform.outbox order by position"
        )
        return [(row.type.removeprefix("shop.catalog.").removesuffix(".v1"), row.data) for row in rows]

    async def news(self) -> list[str]:
        return [type for type, _ in await self.events()]

    async def _done(self, asked: Awaitable[Answer], status: int) -> Any:
        answer = await asked
        assert answer.status == status, answer
        return said(answer)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Tests may ask as often as they like."""
    return replace(settings, rate_limit_scale=0)


@pytest.fixture
def catalogue(ask: Ask, db: Books) -> Catalogue:
    return Catalogue(ask, db)


@pytest.fixture(autouse=True)
async def books_agree(db: Books, run: Run) -> AsyncIterator[None]:
    """Derived rows are what their sources say; streams are without gaps and end with the product as it is."""
    yield
    rebuilt, _ = await run(rebuild_catalog, RebuildCatalog(part="listings", limit=2_000))
    assert rebuilt.differences == []
    assert await db.all(BROKEN_STREAMS) == []
    versions = {str(row.id): str(row.version) for row in await db.all("select id, version from catalog.products")}
    rehomed = await db.all("select id from platform.outbox where type = 'shop.catalog.category.deleted.v1'")
    for row in await db.all(LATEST):
        if row.type == "shop.catalog.product.deleted.v1":
            assert row.key not in versions
        elif (
            row.key in versions and not rehomed
        ):  # of the products of a category that is deleted, nothing is said one by one
            assert versions[row.key] == row.version


async def walked(page: Callable[[str], Awaitable[Any]], query: str) -> list[Any]:
    """All items of a list, page by page."""
    found = await page(query)
    items = list(found["items"])
    query = query.partition("&cursor=")[0]
    while found["next_cursor"]:
        found = await page(f"{query}&cursor={found['next_cursor']}")
        items += found["items"]
    return items
