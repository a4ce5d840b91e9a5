"""What the catalogue costs: `make bench` over 10,000 products, `make bench-large` over a million made-up ones.

Beside each read stands the same SQL by a driver alone, on one connection: the limit.
"""

import argparse
import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import psycopg
from sqlalchemy import Executable

from functions.catalog.get_product import LISTING
from functions.catalog.list_products import ListProducts
from shared.catalog.browsing import Wanted, page_statement
from shared.catalog.facets import PRICE_STEPS_MINOR, facets_statement
from shared.catalog.searching import query_of, search_statement
from shared.runtime.db import compiled
from tests.performance.measuring import Figures, Shop, measured, session, shop
from tests.performance.products import load, products, queries

CATEGORY, LOW, HIGH, COLOUR = "c0", 1_000, 3_000, "black"


def fill(running: Shop, count: int) -> None:
    """Made-up products beside those that the shop begins with, unless they are there already."""
    with running.database() as books:
        row = books.execute("select count(*) from catalog.search_entries").fetchone()
        known = row[0] if row else 0
    if known < count:
        load(running.database_url, count)


def raw(
    running: Shop, operation: str, count: int, statement: Executable, values: Callable[[], dict[str, Any]]
) -> Figures:
    sql = compiled(statement)
    with running.database() as books:
        if sql.planned_anew:
            books.execute("set plan_cache_mode = force_custom_plan")
        books.execute("set role fn_search_products" if "search" in operation else "reset role")
        for _ in range(20):
            books.execute(sql.sql, values(), prepare=True).fetchall()
        before, own, began = running.cpu_s(), time.process_time(), time.perf_counter()
        latencies = []
        for _ in range(count):
            started = time.perf_counter()
            books.execute(sql.sql, values(), prepare=True).fetchall()
            latencies.append((time.perf_counter() - started) * 1000)
        elapsed, after = time.perf_counter() - began, running.cpu_s()
        cpu = {"postgres": (after["postgres"] - before["postgres"]) * 1000 / count}
        cpu["driver"] = (time.process_time() - own) * 1000 / count
        return Figures(operation, count, cpu, latencies, elapsed)


class Reader:
    """Reads of one kind, each with another path."""

    def __init__(self, http: aiohttp.ClientSession, paths: Iterator[str]) -> None:
        self._http = http
        self._paths = paths
        self.slowest: list[tuple[float, str]] = []

    async def __call__(self) -> None:
        path = next(self._paths)
        began = time.perf_counter()
        async with self._http.get(path) as answer:
            body = await answer.read()
            assert answer.status == 200, body
        self.slowest = sorted([*self.slowest, ((time.perf_counter() - began) * 1000, path)], reverse=True)[:3]


async def _deep(http: aiohttp.ClientSession, running: Shop) -> str:
    """The cursor nine tenths down the list by price."""
    with running.database() as books:
        row = books.execute("""select price_minor from catalog.search_entries order by price_minor desc
          limit 1 offset (select count(*) / 10 from catalog.search_entries)""").fetchone()
    assert row
    async with http.get(f"/v1/products?sort=price&limit=1&price_min={row[0]}") as answer:
        return str((await answer.json())["next"].partition("cursor=")[2].partition("&")[0])


async def reads(running: Shop, count: int, scale: int, clients: int = 8) -> list[Figures]:
    by = random.Random(3)
    asked = list(map(quote_plus, queries(200)))
    filtered = f"category={CATEGORY}&price_min={LOW}&price_max={HIGH}&attribute=colour:{COLOUR}"
    async with session(running) as http:
        deep = await _deep(http, running)
        found = []
        for operation, times, path in (
            ("catalogue: get a product", 4000, lambda: f"/v1/products/made-up-{by.randint(1, count)}"),
            ("catalogue: filtered page of 20 by price", 2000, lambda: f"/v1/products?{filtered}&sort=price"),
            ("catalogue: first page of 20 by price", 2000, lambda: "/v1/products?sort=price"),
            ("catalogue: page after nine tenths of all", 2000, lambda: f"/v1/products?sort=price&cursor={deep}"),
            ("catalogue: search for two words", 1000, lambda: f"/v1/search?q={by.choice(asked)}"),
            ("catalogue: the same with facets", 1000, lambda: f"/v1/search?q={by.choice(asked)}&facets=true"),
            (
                "catalogue: suggestions",
                1000,
                lambda: f"/v1/search/suggestions?q={by.choice(asked)[: by.randint(2, 9)]}",
            ),
        ):
            reader = Reader(http, (path() for _ in itertools.count()))
            await measured(running, operation, 100, clients, reader)
            reader.slowest.clear()
            found.append(await measured(running, operation, times * scale, clients, reader))
            if count > 100_000:
                print(found[-1].line(), [f"{ms:.0f} ms {path}" for ms, path in reader.slowest], flush=True)
    return found


def limits(running: Shop, count: int, scale: int) -> list[Figures]:
    by = random.Random(4)
    asked = queries(200)
    wanted = Wanted.by(
        ListProducts(category=CATEGORY, price_min=LOW, price_max=HIGH, attribute=(f"colour:{COLOUR}",), sort="price")
    )
    page = page_statement("price", wanted.filters, wanted.attributes, after=False)
    search = search_statement("relevance", (), 0, searched=True, after=False)
    facets = facets_statement((), 0, searched=True)
    return [
        raw(running, "raw SQL: get a product", 2000 * scale, LISTING, lambda: {"product": f"made-up-{by.randint(1, count)}"}),
        raw(running, "raw SQL: filtered page", 1000 * scale, page, lambda: {**wanted.values, "count": 21}),
        raw(
            running, "raw SQL: search", 600 * scale, search,
            lambda: {**query_of(by.choice(asked))._asdict(), "count": 21},
        ),
        raw(
            running, "raw SQL: facets of the search", 600 * scale, facets,
            lambda: {**query_of(by.choice(asked))._asdict(), "steps": PRICE_STEPS_MINOR},
        ),
    ]  # fmt: skip


async def imports(running: Shop, count: int, part: int = 1_000) -> Figures:
    """A file of new products in parts, one after the other, until their events are told."""
    made = list(itertools.islice(products(count, seed=9), count))
    for product in made:
        product["slug"] = f"imported-{product['slug']}"
        product.pop("category")
        for variant in product["variants"]:
            variant["sku"] = f"I{variant['sku']}"
    parts = [
        "".join(json.dumps(product) + "\n" for product in made[at : at + part]).encode() for at in range(0, count, part)
    ]
    headers = {"authorization": f"Bearer {running.token('admin')}", "content-type": "application/x-ndjson"}
    sent = iter(parts)
    async with session(running) as http:

        async def once() -> None:
            async with http.post("/v1/admin/product-import", data=next(sent), headers=headers) as answer:
                report = await answer.json()
                assert answer.status == 200, report
                assert report["created"] == part, report

        figures = await measured(running, "catalogue: import, per product", len(parts), 1, once, settle=3.0)
    figures.cpu_ms = {name: value / part for name, value in figures.cpu_ms.items()}
    figures.count = count
    return figures


async def steady(running: Shop, searches: int) -> None:
    """Memory before and after many searches."""
    asked = itertools.cycle(map(quote_plus, queries(200)))
    async with session(running) as http:
        reader = Reader(http, (f"/v1/search?q={q}&facets=true" for q in asked))
        await measured(running, "", 400, 2, reader)
        before = running.memory_mb()
        await measured(running, "", searches, 2, reader)
        after = running.memory_mb()
    for name in ("web", "postgres"):
        print(f"memory of {name}: {before[name]:.0f} MB, after {searches:,} searches with facets {after[name]:.0f} MB")


def figures(running: Shop, count: int, scale: int) -> Iterator[Figures]:
    fill(running, count)
    yield from asyncio.run(reads(running, count, scale))
    yield from limits(running, count, scale)
    yield asyncio.run(imports(running, 10_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many products")
    parser.add_argument("--scale", type=int, default=1, help="how many times the usual number of operations")
    parser.add_argument("--keep", type=Path, help="a directory where the products stay for the next time")
    options = parser.parse_args()
    with shop("embedded", options.keep) as running:
        if options.count <= 100_000:
            for line in figures(running, options.count, options.scale):
                print(line.line(), flush=True)
            return
        began = time.perf_counter()
        fill(running, options.count)
        print(f"{options.count:,} products, loaded in {time.perf_counter() - began:.0f} s; one client", flush=True)
        asyncio.run(reads(running, options.count, options.scale, clients=1))
        for line in limits(running, options.count, options.scale):
            print(line.line(), flush=True)
        asyncio.run(steady(running, 2_000))


if __name__ == "__main__":
    main()
