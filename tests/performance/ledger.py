"""What the stock ledger costs with ten million entries: `make bench-ledger`. Beside each read, the limit of 20 ms.

Entries are made up: a few SKUs move all day, most seldom; of four locations one does half of the work.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import aiohttp

from tests.performance.measuring import Figures, Shop, measured, session, shop

LIMIT_MS = 20.0
LOCATIONS = ("LON", "LEEDS", "PARIS", "OSLO")
SHARES = (50, 25, 15, 10)
SKUS = 20_000
DAYS = 3 * 365
REASONS = (
    "shipped",
    "received",
    "transfer_in",
    "transfer_out",
    "returned",
    "correction",
    "recount",
    "damaged",
    "stolen",
)
OFTEN = (70, 12, 4, 4, 4, 3, 2, 0.9, 0.1)
FEWER = {"shipped", "transfer_out", "damaged", "stolen"}


def sku(number: int) -> str:
    return f"LEDGER-{number:05}"


HOTTEST = sku(0)


def entries(count: int, seed: int = 1) -> Iterator[str]:
    """Lines for COPY, in the order of time."""
    by = random.Random(seed)
    weights = [1 / (number + 3) ** 0.8 for number in range(SKUS)]
    drawn = by.choices(range(SKUS), weights, k=count)
    places, reasons = by.choices(LOCATIONS, SHARES, k=count), by.choices(REASONS, OFTEN, k=count)
    on_hand: dict[tuple[int, str], int] = {}
    since = datetime.now(UTC) - timedelta(days=DAYS)
    for n, (number, location, reason) in enumerate(zip(drawn, places, reasons, strict=True)):
        before = on_hand.get((number, location), 0)
        if reason in FEWER and before == 0:
            reason = "received"  # noqa: PLW2901 - there is nothing to take away
        delta = -min(before, 1 + n % 3) if reason in FEWER else 1 + n % 9
        on_hand[number, location] = after = before + delta
        at = since + timedelta(days=DAYS * n / count)
        order = UUID(int=n) if reason == "shipped" else r"\N"
        actor = "/shop/inventory/ship-hold" if reason == "shipped" else f"keeper-{n % 40}"
        yield f"{sku(number)}\t{location}\t{delta}\t{after}\t{reason}\t{actor}\tbench\t{order}\t{at}\t{at}\n"


def fill(running: Shop, count: int) -> None:
    """Unless they are there already. Indexes are made when the rows are there, as a restored dump makes them."""
    with running.database() as books:
        known = books.execute("select count(*) from inventory.items where sku like 'LEDGER-%'").fetchone()
        if known and known[0]:
            return
        books.execute("set session_replication_role = replica")  # no look at the stock for each of the entries
        books.execute("set maintenance_work_mem = '1GB'")
        with books.transaction():
            indexes = books.execute("""select indexname, indexdef from pg_indexes
              where schemaname = 'inventory' and tablename = 'ledger' and indexname <> 'ledger_pkey'""").fetchall()
            for name, _ in indexes:
                books.execute(f"drop index inventory.{name}".encode())
            for location in LOCATIONS:
                books.execute("""insert into inventory.locations (id, name, created_at) values (%s, %s, now())
                  on conflict do nothing""", [location, location.title()])  # fmt: skip
            with books.cursor().copy("""copy inventory.ledger
                    (sku, location, delta, on_hand, reason, actor, cause, order_id, at, recorded_at)
                    from stdin""") as copy:  # fmt: skip
                for lines in _batched(entries(count), 5_000):
                    copy.write("".join(lines))
            for _, definition in indexes:
                books.execute(definition.encode())
            books.execute("""insert into inventory.items (sku, tracked, status, updated_at)
              select distinct sku, true, 'in_stock', now() from inventory.ledger where sku like 'LEDGER-%'""")
            books.execute("""insert into inventory.stock (sku, location, on_hand, changed_at)
              select sku, location, sum(delta), max(recorded_at) from inventory.ledger where sku like 'LEDGER-%'
              group by sku, location""")
        books.execute("vacuum analyze inventory.ledger, inventory.stock, inventory.items")


def _batched(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(itertools.islice(lines, size)):
        yield batch


async def reads(running: Shop, scale: int) -> list[Figures]:
    by, now = random.Random(5), datetime.now(UTC)
    skus = by.choices(range(SKUS), [1 / (number + 3) ** 0.8 for number in range(SKUS)], k=2_000)
    headers = {"authorization": f"Bearer {running.token('admin')}"}

    def moment() -> str:
        return quote((now - timedelta(seconds=by.randint(1, DAYS * 86_400 - 1))).isoformat())

    def some() -> str:
        return sku(by.choice(skus))

    async with session(running) as http:
        halfway = quote((now - timedelta(days=DAYS / 2)).isoformat())
        cursors = {}
        for path in (f"/v1/stock/{HOTTEST}/ledger", "/v1/ledger"):
            async with http.get(f"{path}?limit=1&until={halfway}", headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                cursors[path] = "cursor=" + quote((await answer.json())["next_cursor"])
        of_hottest, of_all = (f"{path}?{cursor}" for path, cursor in cursors.items())
        kinds: list[tuple[str, Callable[[], str]]] = [
            ("history of a SKU, first page", lambda: f"/v1/stock/{some()}/ledger"),
            ("history of the busiest SKU, first page", lambda: f"/v1/stock/{HOTTEST}/ledger"),
            ("the same, after half of its entries", lambda: of_hottest),
            ("the same, of a location", lambda: f"{of_hottest}&location={by.choice(LOCATIONS)}"),
            ("the same, of a frequent reason", lambda: f"{of_hottest}&reason=shipped"),
            ("the same, of a rare reason", lambda: f"{of_hottest}&reason=stolen"),
            ("the same, rare reason at a location", lambda: f"{of_hottest}&reason=stolen&location=OSLO"),
            ("the same, before a moment", lambda: f"/v1/stock/{HOTTEST}/ledger?until={moment()}"),
            ("history of a SKU, of a rare reason", lambda: f"/v1/stock/{some()}/ledger?reason=damaged"),
            ("the whole ledger, first page", lambda: "/v1/ledger"),
            ("the same, after half of its entries", lambda: of_all),
            ("the same, of a location", lambda: f"{of_all}&location={by.choice(LOCATIONS)}"),
            ("the same, of a rare reason", lambda: f"{of_all}&reason=stolen"),
            ("the same, rare reason at a location", lambda: f"{of_all}&reason=stolen&location=OSLO"),
            ("the same, of an actor", lambda: f"{of_all}&actor=keeper-{by.randint(0, 39)}"),
            ("the same, of an actor and a rare reason", lambda: "/v1/ledger?actor=keeper-7&reason=stolen"),
            ("the same, before a moment", lambda: f"/v1/ledger?until={moment()}"),
            ("stock of a SKU at a past moment", lambda: f"/v1/stock/{some()}/past?as_of={moment()}"),
            ("stock of the busiest SKU at a past moment", lambda: f"/v1/stock/{HOTTEST}/past?as_of={moment()}"),
            ("what stands behind the stock of a SKU", lambda: f"/v1/stock/{some()}/why"),
            ("what stands behind that of the busiest SKU", lambda: f"/v1/stock/{HOTTEST}/why"),
        ]
        found = []
        for operation, asked in kinds:
            get = reader(http, headers, asked)
            await measured(running, operation, 40, 1, get)
            found.append(await measured(running, operation, 400 * scale, 1, get))
            p95 = statistics.quantiles(found[-1].latencies_ms, n=20)[18]
            print(found[-1].line(), "" if p95 <= LIMIT_MS else f"  more than {LIMIT_MS:.0f} ms", flush=True)
    return found


def reader(
    http: aiohttp.ClientSession, headers: dict[str, str], path: Callable[[], str]
) -> Callable[[], Awaitable[None]]:
    async def get() -> None:
        asked = path()
        async with http.get(asked, headers=headers) as answer:
            body = await answer.read()
            assert answer.status == 200, (asked, body)

    return get


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000, help="how many entries")
    parser.add_argument("--scale", type=int, default=1, help="how many times the usual number of operations")
    parser.add_argument("--keep", type=Path, help="a directory where the entries stay for the next time")
    options = parser.parse_args()
    with shop("embedded", options.keep) as running:
        began = time.perf_counter()
        fill(running, options.count)
        print(f"{options.count:,} entries, there after {time.perf_counter() - began:.0f} s; one client", flush=True)
        asyncio.run(reads(running, options.scale))


if __name__ == "__main__":
    main()
