"""What an operation costs: CPU of each process and of Postgres, latency and hops, beside the bare limits, in one run.

Run by `make bench`. Figures of a shared machine waver: read the ratios.
"""

import argparse
import asyncio
import itertools
import time
from functools import partial
from uuid import uuid4

import aiohttp

from tests.performance import catalogue
from tests.performance.measuring import Figures, Shop, measured, session, shop

SKUS = ("MUG-BLUE", "TEA-TIN")


async def requests(running: Shop, scale: int) -> list[Figures]:
    figures = []
    async with session(running) as http:

        async def get(path: str) -> None:
            async with http.get(path) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

        for operation, path, count in (
            ("bare runtime: liveness", "/health/live", 4000),
            ("get a product", "/v1/products/MUG-BLUE", 4000),
            ("list 20 products", "/v1/products?limit=20", 2000),
        ):
            once = partial(get, path)
            await measured(running, operation, 200, 8, once)
            figures.append(await measured(running, operation, count * scale, 8, once))
    return figures


async def orders(running: Shop, carrier: str, scale: int) -> tuple[list[Figures], float]:
    """Two-line orders: a stream of them from placement to capture, then one at a time, waited for."""
    customer = {"authorization": f"Bearer {running.token('customer')}"}
    body = {"lines": [{"sku": sku, "quantity": 1} for sku in SKUS], "payment_token": "tok_approve"}
    async with session(running) as http:

        async def place(**headers: str) -> str:
            sent = {**customer, "idempotency-key": str(uuid4()), **headers}
            async with http.post("/v1/orders", json=body, headers=sent) as answer:
                assert answer.status == 201, await answer.text()
                return str((await answer.json())["payment"])

        async def placed() -> None:
            await place()

        async def waited() -> None:
            assert await place(prefer="wait=10") == "captured"

        for sku in SKUS:
            await stock_up(http, running.token("admin"), sku)
        with running.database() as books:

            def counted(sql: str) -> int:
                row = books.execute(sql).fetchone()
                assert row
                return int(row[0])

            open_orders = "select count(*) from orders.sagas where deadline is not null"
            await measured(running, "", 60, 8, placed)
            while counted(open_orders):  # noqa: ASYNC110 - other processes move it
                await asyncio.sleep(0.05)
            events_before = counted("select count(*) from platform.outbox")
            count, before, began = 600 * scale, running.cpu_s(), time.perf_counter()
            stream = await measured(running, f"place an order ({carrier}), until captured", count, 8, placed)
            while counted(open_orders):  # noqa: ASYNC110 - other processes move it
                await asyncio.sleep(0.05)
            after = running.cpu_s()
            stream.elapsed_s = time.perf_counter() - began
            stream.cpu_ms = {name: (after[name] - before.get(name, 0.0)) * 1000 / count for name in after}
            hops = (counted("select count(*) from platform.outbox") - events_before) / count
        single = await measured(running, f"one order at a time ({carrier}), waited for", 60 * scale, 1, waited)
    return [stream, single], hops


async def stock_up(http: aiohttp.ClientSession, admin: str, sku: str) -> None:
    headers = {"authorization": f"Bearer {admin}", "idempotency-key": str(uuid4())}
    async with http.get(f"/v1/stock/{sku}", headers=headers) as answer:
        location = (await answer.json())["locations"][0]["location"]
    body = {"delta": 1_000_000, "reason": "received"}
    async with http.post(f"/v1/stock/{sku}/{location}/adjustments", json=body, headers=headers) as answer:
        assert answer.status == 201, await answer.text()


def raw_sql(running: Shop, count: int) -> list[Figures]:
    """The same reads by a driver alone, on one connection: what Postgres and the driver cost at the least."""
    figures = []
    with running.database() as books:
        for operation, sql, values in (
            (
                "raw SQL: get a product",
                "select document, stock from catalog.variants join catalog.listings using (product_id) where sku = %s",
                ["MUG-BLUE"],
            ),
            (
                "raw SQL: list 20 products",
                """select document, stock from catalog.search_entries join catalog.listings using (product_id)
                order by published_at desc limit %s""",
                [20],
            ),
        ):
            before, own, began = running.cpu_s(), time.process_time(), time.perf_counter()
            latencies = []
            for _ in range(count):
                started = time.perf_counter()
                books.execute(sql, values).fetchall()
                latencies.append((time.perf_counter() - started) * 1000)
            elapsed, after = time.perf_counter() - began, running.cpu_s()
            cpu = {"postgres": (after.get("postgres", 0) - before.get("postgres", 0)) * 1000 / count}
            cpu["driver"] = (time.process_time() - own) * 1000 / count
            figures.append(Figures(operation, count, cpu, latencies, elapsed))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--carrier", choices=["embedded", "kafka"], action="append", help="default: both, in turn")
    parser.add_argument("--scale", type=int, default=1, help="how many times the usual number of operations")
    options = parser.parse_args()
    for carrier in options.carrier or ["embedded", "kafka"]:
        with shop(carrier) as running:
            print(f"\n{carrier} carrier: CPU per operation in all, throughput, latency, CPU of each process (ms)")
            for figures in itertools.chain(asyncio.run(requests(running, options.scale)), raw_sql(running, 3000)):
                print(figures.line(), flush=True)
            streamed, hops = asyncio.run(orders(running, carrier, options.scale))
            for figures in streamed:
                print(figures.line(), flush=True)
            print(f"events per order {hops:.1f}; CPU per event of the stream {streamed[0].total_ms / hops:.2f} ms")
            if carrier == "embedded":
                for figures in catalogue.figures(running, 10_000, options.scale):
                    print(figures.line(), flush=True)
            memory = running.memory_mb()
            own = sum(value for name, value in memory.items() if name not in ("postgres", "kafka"))
            parts = "  ".join(f"{name} {value:.0f}" for name, value in sorted(memory.items()))
            print(f"memory without Postgres and Kafka {own:.0f} MB (proportional set)   {parts}")


if __name__ == "__main__":
    main()
