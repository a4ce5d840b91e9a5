"""A steady stream of two-line orders for minutes, as many a second whether the shop keeps up or not.

Run by `make load`. Buyers arrive at random, as they do; each sends one request and does not wait for its end. A
placement takes from the request to its answer; a confirmation from the commit of the order to that of its confirmation,
both by the clock of Postgres.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp

from tests.performance.bench import stock_up
from tests.performance.measuring import Shop, session, shop

WARM_S = 5.0
UNDER_WAY = "select count(*) from orders.sagas where deadline is not null"
CONFIRMED = """
select extract(epoch from confirmed.time - created.time)::float8 * 1000
from platform.outbox created join platform.outbox confirmed on confirmed.key = created.key
where created.type = 'shop.orders.order.created.v1' and confirmed.type = 'shop.orders.order.confirmed.v1'
  and created.position > %s
"""
STANDINGS = "select status, count(*) from orders.orders group by status order by status"


@dataclass(slots=True)
class Report:
    rate: float
    placed_ms: list[float] = field(default_factory=list)
    answers: Counter[int | str] = field(default_factory=Counter)
    late: int = 0


async def stream(http: aiohttp.ClientSession, token: str, skus: list[str], rate: float, seconds: float) -> Report:
    """Sends `rate` requests a second on average; one that could not be sent in its time counts as late."""
    report, by = Report(rate), random.Random(7)
    headers = {"authorization": f"Bearer {token}"}

    async def buy() -> None:
        lines = [{"sku": sku, "quantity": 1} for sku in by.sample(skus, 2)]
        body = {"lines": lines, "payment_token": "tok_approve"}
        began = time.perf_counter()
        try:
            async with http.post("/v1/orders", json=body, headers={**headers, "idempotency-key": str(uuid4())}) as said:
                await said.read()
                report.answers[said.status] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            report.answers[type(error).__name__] += 1
        report.placed_ms.append((time.perf_counter() - began) * 1000)

    loop = asyncio.get_running_loop()
    due, end = loop.time(), loop.time() + seconds
    async with asyncio.TaskGroup() as buyers:
        while due < end:
            due += by.expovariate(rate)
            await asyncio.sleep(max(0.0, due - loop.time()))
            report.late += loop.time() - due > 0.05
            buyers.create_task(buy())
    return report


async def run(running: Shop, rate: float, seconds: float) -> list[str]:
    token = running.token("customer")
    async with session(running) as http:
        async with http.get("/v1/products?limit=40") as answer:
            products = (await answer.json())["items"]
        skus = [product["variants"][0]["sku"] for product in products]
        for sku in skus:
            await stock_up(http, running.token("admin"), sku)
        await stream(http, token, skus, rate, WARM_S)
        with running.database() as books:

            def value(sql: str) -> int:
                row = books.execute(sql.encode()).fetchone()
                assert row
                return int(row[0])

            async def at_rest() -> float:
                began = time.perf_counter()
                while value(UNDER_WAY):  # noqa: ASYNC110 - other processes move it
                    await asyncio.sleep(0.05)
                return time.perf_counter() - began

            await at_rest()
            first = value("select coalesce(max(position), 0) from platform.outbox")
            before, began = running.cpu_s(), time.perf_counter()
            report = await stream(http, token, skus, rate, seconds)
            elapsed = time.perf_counter() - began
            rest_s = await at_rest()
            after = running.cpu_s()
            confirmed_ms = [float(row[0]) for row in books.execute(CONFIRMED, [first]).fetchall()]
            standings: dict[str, int] = dict(books.execute(STANDINGS).fetchall())
    count = len(report.placed_ms)
    cpu = {name: (after[name] - before.get(name, 0.0)) * 1000 / count for name in after}
    parts = "  ".join(f"{name} {ms:.2f}" for name, ms in sorted(cpu.items()) if ms >= 0.005)
    return [
        f"asked for {rate:.0f} orders/s, sent {count:,} in {elapsed:.0f} s; {report.late} more than 50 ms late",
        f"answers {dict(report.answers)}; all orders now {standings}; at rest {rest_s:.1f} s after the last",
        f"placement    {_line(report.placed_ms)}",
        f"confirmation {_line(confirmed_ms)}   of {len(confirmed_ms):,}",
        f"CPU per order {sum(cpu.values()):.2f} ms   {parts}",
    ]


def _line(values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49]:.1f} ms   p95 {cuts[94]:.1f} ms   p99 {cuts[98]:.1f} ms   worst {max(values):.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=60.0, help="orders per second")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--carrier", choices=["embedded", "kafka"], default="embedded")
    options = parser.parse_args()
    with shop(options.carrier) as running:
        for line in asyncio.run(run(running, options.rate, options.minutes * 60)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
