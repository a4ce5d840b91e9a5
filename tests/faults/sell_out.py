"""Many buyers for few units, over HTTP, while the shop's processes are killed again and again.

`make sell-out BUYERS=10000 UNITS=100`. A buyer whose request fails sends it again under the same key, as a client of
ours would, and looks at the order until it has ended.
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
import psycopg

from tests.processes import Api, Shop, has_ended, running_shop

LOCATIONS = ("LON", "LEEDS", "PARIS")
DOOMED = ("web-1", "web-2", "dispatch", "relay")
AT_ONCE = 96
"""So many buyers have a request under way at a time; the rest stand in the queue."""

COMMITTED = "select coalesce(max(position), 0) from platform.outbox"

BOOKS = """
select (select count(*) from orders.orders), (select count(distinct customer_id) from orders.orders),
  (select deadlocks from pg_stat_database where datname = current_database()),
  (select count(*) from platform.dead_letters)
"""


@dataclass(slots=True)
class Report:
    """`ended` counts orders by status, payment and reason; `waited_s` is from a buyer's first request to its answer."""

    buyers: int
    units: int
    price_minor: int
    ended: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    again: int = 0
    waited_s: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0
    orders: int = 0
    customers: int = 0
    deadlocks: int = 0
    dead_letters: int = 0
    captured_minor: int = 0
    stock: dict[str, int] = field(default_factory=dict)
    committed_at: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        cuts = statistics.quantiles(self.waited_s, n=20)
        due_minor = self.units * self.price_minor
        rows = [
            ("buyers, units", f"{self.buyers:,}, {self.units:,}"),
            *((f"{status}, payment {payment}, {reason or 'no reason'}", f"{count:,}")
              for (status, payment, reason), count in sorted(self.ended.items())),
            ("orders, customers", f"{self.orders:,}, {self.customers:,}"),
            ("captured by the provider", f"{self.captured_minor / 100:,.2f} of {due_minor / 100:,.2f}"),
            ("stock", ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in self.stock.items())),
            ("committed at", ", ".join(f"{at} {count}" for at, count in self.committed_at.items())),
            ("killed with SIGKILL", ", ".join(f"{part} {count}x" for part, count in sorted(self.kills.items()))),
            ("requests sent again", f"{self.again:,}"),
            ("answer to a buyer p50, p95", f"{cuts[9]:.1f} s, {cuts[18]:.1f} s"),
            ("from the first to the last", f"{self.elapsed_s:.0f} s, {self.buyers / self.elapsed_s:,.0f} orders/s"),
            ("deadlocks, dead letters", f"{self.deadlocks}, {self.dead_letters}"),
        ]  # fmt: skip
        return [f"{name:<44}{value}" for name, value in rows]

    def sold_out_exactly(self) -> bool:
        """Every unit once, everybody else refused for want of stock, and nobody without an order of their own."""
        refused = ("rejected", "none", "out_of_stock")
        return (
            self.ended == Counter({("confirmed", "captured", ""): self.units, refused: self.buyers - self.units})
            and (self.orders, self.customers) == (self.buyers, self.buyers)
            and self.captured_minor == self.units * self.price_minor
            and (self.stock["available"], self.stock["held"], self.stock["committed"]) == (0, 0, self.units)
            and (self.deadlocks, self.dead_letters) == (0, 0)
        )


class SellOut:
    def __init__(self, api: Api, buyers: int, units: int, seed: int, events_between_kills: int) -> None:
        self._api = api
        self._by = random.Random(seed)
        self._between = events_between_kills
        self.report = Report(buyers, units, 2_500)

    async def run(self) -> Report:
        sku = await self._stocked()
        began, free = time.perf_counter(), asyncio.Semaphore(AT_ONCE)
        killing = asyncio.create_task(self._kill_again_and_again())

        async def queue(number: int) -> None:
            async with free:
                await self._buy(sku, f"buyer-{number}")

        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(self.report.buyers):
                    tasks.create_task(queue(number))
        finally:
            killing.cancel()
            await asyncio.wait([killing])
        self.report.elapsed_s = time.perf_counter() - began
        await self._api.at_rest()
        await self._look(sku)
        return self.report

    async def _stocked(self) -> str:
        """A new SKU whose units lie at three locations."""
        for location in LOCATIONS:
            made = await self._api.ask("POST", "/v1/locations", {"id": location, "name": location.title()})
            assert made.status in (201, 409), made
        sku = await self._api.stocked(0, self.report.price_minor)
        left = self.report.units
        for place, location in enumerate(LOCATIONS):
            units = left if place == len(LOCATIONS) - 1 else left // 2
            left -= units
            level = await self._api.ask("PUT", f"/v1/stock/{sku}/{location}", {"on_hand": units})
            assert level.status == 200, level
        return sku

    async def _buy(self, sku: str, buyer: str) -> None:
        began = time.perf_counter()
        order = await self._api.place(sku, subject=buyer, idempotency_key=str(uuid4()), prefer="wait=10")
        path = f"/v1/orders/{order['id']}"
        async with asyncio.timeout(600):
            while not has_ended(order):
                await asyncio.sleep(0.5)
                order = (await self._api.ask("GET", path, role="customer", subject=buyer)).body
        self.report.waited_s.append(time.perf_counter() - began)
        self.report.ended[order["status"], order["payment"], order.get("reason") or ""] += 1

    async def _kill_again_and_again(self) -> None:
        """Each time when so many more events were committed: a kill comes anywhere in the work, not between."""
        shop = self._api.shop
        with psycopg.connect(shop.owner_url, autocommit=True) as books:
            last = _value(books, COMMITTED)
            while True:
                last += self._by.randint(self._between // 2, self._between * 3 // 2)
                while _value(books, COMMITTED) < last:  # noqa: ASYNC110 - other processes commit
                    await asyncio.sleep(0.005)
                if running := sorted(shop.parts().keys() & {*DOOMED}):  # those killed last may not be back yet
                    part = self._by.choice(running)
                    shop.strike(part)
                    self.report.kills[part] += 1
                last = max(last, _value(books, COMMITTED))

    async def _look(self, sku: str) -> None:
        report, stock = self.report, await self._api.stock(sku)
        report.again = self._api.sent_again
        report.stock = {name: stock[name] for name in ("on_hand", "held", "committed", "available")}
        report.committed_at = {at["location"]: at["committed"] for at in stock["locations"]}
        with psycopg.connect(self._api.shop.owner_url) as books:
            row = books.execute(BOOKS).fetchone()
            assert row is not None
            report.orders, report.customers, report.deadlocks, report.dead_letters = row
            sold = books.execute("select id from orders.orders where status = 'confirmed'").fetchall()
        for (order,) in sold:
            report.captured_minor += (await self._api.charged(str(order)))["captured"]


def _value(books: psycopg.Connection, sql: str) -> int:
    row = books.execute(sql.encode()).fetchone()
    assert row is not None
    return int(row[0])


async def sell_out(shop: Shop, buyers: int, units: int, seed: int, events_between_kills: int) -> Report:
    timeout = aiohttp.ClientTimeout(total=30, sock_connect=5)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        return await SellOut(Api(shop, session), buyers, units, seed, events_between_kills).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("buyers", type=int)
    parser.add_argument("units", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=400, help="events between two kills, on average")
    options = parser.parse_args()
    with running_shop(WORKERS="2") as shop:
        report = asyncio.run(sell_out(shop, options.buyers, options.units, options.seed, options.every))
    print("\n".join(report.lines()))
    if not report.sold_out_exactly():
        raise SystemExit("This is not what was to be sold.")


if __name__ == "__main__":
    main()
