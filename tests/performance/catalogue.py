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
from shared.catalog.browsing import CATEGORY_AND_BELOW, page_statement
from shared.catalog.facets import PRICE_STEPS_MINOR, facets_statement
from shared.catalog.searching import BEGUN, parts_of, search_statement
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


def _asked(books: psycopg.Connection, q: str) -> dict[str, Any]:
    query = parts_of(q)
    rows = books.execute(compiled(BEGUN).sql, {"last": query.last}).fetchall()
    return query._replace(begun=" | ".join(f"'{word}'" for (word,) in rows))._asdict()


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


def _some(running: Shop, count: int) -> list[str]:
    """Slugs of products from all over the shop."""
    with running.database() as books:
        share = min(100, 200_000 / count)
        rows = books.execute(
            """select p.slug from catalog.listings l tablesample system (%s)
            join catalog.products p on p.id = l.product_id limit 2000""",
            [share],
        ).fetchall()
    return [slug for (slug,) in rows]


async def _deep(http: aiohttp.ClientSession, running: Shop) -> str:
    """The cursor nine tenths down the list by price."""
    with running.database() as books:
        row = books.execute("""select price_minor from catalog.search_entries order by price_minor desc
          limit 1 offset (select count(*) / 10 from catalog.search_entries)""").fetchone()
    assert row
    async with http.get(f"/v1/products?sort=price&limit=1&price_min={row[0]}") as answer:
        return "cursor=" + str((await answer.json())["next_cursor"])


async def reads(running: Shop, count: int, scale: int, clients: int = 8) -> list[Figures]:
    by, typed = random.Random(3), range(2, 10)
    asked = list(map(quote_plus, queries(200)))
    filtered = f"category={CATEGORY}&price_min={LOW}&price_max={HIGH}&attribute=colour:{COLOUR}"
    async with session(running) as http:
        deep, some = await _deep(http, running), _some(running, count)
        kinds: list[tuple[str, int, Callable[[], str]]] = [
            ("catalogue: get a product", 4000, lambda: f"/v1/products/{by.choice(some)}"),
            ("catalogue: filtered page of 20 by price", 2000, lambda: f"/v1/products?{filtered}&sort=price"),
            ("catalogue: first page of 20 by price", 2000, lambda: "/v1/products?sort=price"),
            ("catalogue: page after nine tenths of all", 2000, lambda: f"/v1/products?sort=price&{deep}"),
            ("catalogue: search for two words", 1000, lambda: f"/v1/search?q={by.choice(asked)}"),
            ("catalogue: the same with facets", 1000, lambda: f"/v1/search?q={by.choice(asked)}&facets=true"),
            ("catalogue: suggestions", 999, lambda: f"/v1/search/suggestions?q={by.choice(asked)[: by.choice(typed)]}"),
        ]  # fmt: skip
        found = []
        for operation, times, path in kinds:
            reader = Reader(http, (path() for _ in itertools.count()))
            await measured(running, operation, 100, clients, reader)
            reader.slowest.clear()
            found.append(await measured(running, operation, times * scale, clients, reader))
            if count > 100_000:
                print(found[-1].line(), [f"{ms:.0f} ms {path}" for ms, path in reader.slowest], flush=True)
    return found


def limits(running: Shop, count: int, scale: int) -> list[Figures]:
    by = random.Random(4)
    filters = ("category", "price_min", "price_max")
    page, some = page_statement("price", filters, 1, after=False), _some(running, count)
    with running.database() as books:
        below = books.execute(compiled(CATEGORY_AND_BELOW).sql, {"category": CATEGORY}).fetchall()
    wanted = {"category": [id for (id,) in below], "price_min": LOW, "price_max": HIGH, "count": 21}
    wanted["attribute_0"] = f"'=colour:{COLOUR}'"
    with running.database() as books:
        asked = [_asked(books, q) for q in queries(200)]
    search = search_statement("relevance", (), 0, searched=True, after=False)
    facets = facets_statement((), 0, searched=True)
    return [
        raw(
            running, "raw SQL: get a product", 2000 * scale, LISTING,
            lambda: {"product": by.choice(some)},
        ),
        raw(running, "raw SQL: filtered page", 1000 * scale, page, lambda: dict(wanted)),
        raw(
            running, "raw SQL: search", 600 * scale, search,
            lambda: {**by.choice(asked), "count": 21},
        ),
        raw(
            running, "raw SQL: facets of the search", 600 * scale, facets,
            lambda: {**by.choice(asked), "steps": PRICE_STEPS_MINOR},
        ),
    ]  # fmt: skip


async def imports(running: Shop, count: int, part: int = 1_000) -> Figures:
    """A file of new products in parts, two at a time, until their events are told."""
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

        figures = await measured(running, "catalogue: import, per product", len(parts), 2, once, settle=3.0)
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
