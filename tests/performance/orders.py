"""What looking for orders costs among a million: `make bench-orders`. Beside each read, the limit of 20 ms.

Orders are made up: of 50,000 customers a few order all the time, most seldom; of 5,000 SKUs a few are in many orders.
One in two hundred is rejected, one in three hundred cancelled; a few are tagged, held for review, or still under way.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import aiohttp

from tests.performance.ledger import reader
from tests.performance.measuring import Figures, Shop, measured, session, shop

LIMIT_MS = 20.0
CUSTOMERS, SKUS, DAYS, LINES = 50_000, 5_000, 3 * 365, 4
NULL = r"\N"
ORDER_COLUMNS = """id, number, reference, customer_id, recorded, placed_at, currency, subtotal_minor, total_minor,
  payment_token, status, version, created_at, email, shipping_address, country, fulfilment, tags, review"""
LINE_COLUMNS = "order_id, line_no, sku, title, quantity, unit_price_minor, total_minor"
SAGA_COLUMNS = "order_id, state, moves, deadline, updated_at"
MOVE_COLUMNS = "order_id, position, from_state, to_state, cause, asked, at"
EVENT_COLUMNS = """id, source, type, subject, topic, partition, key, sequence, time, correlationid, content_type, data,
  log_offset, published_at"""
WAY = ("holding", "authorizing", "committing", "capturing", "completed")
FACTS = ("created", "confirmed", "completed")


def sku(number: int) -> str:
    return f"ORDERS-{number:04}"


def customer(number: int) -> str:
    return "bench-customer" if number == 0 else f"buyer-{number:05}"


def number_of(n: int) -> str:
    return f"B{n:07}"


def order_id(n: int, at: datetime) -> UUID:
    return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | n)


Rows = tuple[str, str, str, str, str]


def rows(count: int, seed: int = 1) -> Iterator[Rows]:
    """Lines for COPY into orders, lines, sagas, moves and events, in the order of time."""
    by = random.Random(seed)
    who = by.choices(range(CUSTOMERS), [1 / (n + 20) ** 0.7 for n in range(CUSTOMERS)], k=count)
    what = by.choices(range(SKUS), [1 / (n + 3) ** 0.8 for n in range(SKUS)], k=count * LINES)
    since = datetime.now(UTC) - timedelta(days=DAYS)
    address = '{"lines": ["1 Street"], "city": "Leeds", "region": null, "postcode": "LS1", "country": "GB"}'
    for n in range(count):
        at = since + timedelta(days=DAYS * n / count)
        status, state = _status(n, count)
        prices = [100 + by.randrange(5000) for _ in range(LINES)]
        total, key = sum(prices), order_id(n, at)
        tags = "{vip}" if n % 997 == 0 else "{}"
        review = "odd" if n > count - 5000 and n % 100 == 0 else NULL
        fulfilment = "delivered" if status == "completed" else "unfulfilled"
        deadline = str(at) if status == "pending" else NULL
        email = f"{customer(who[n])}@example.com"
        yield (
            "\t".join(
                (
                    str(key),
                    number_of(n),
                    f"R-{n}",
                    customer(who[n]),
                    "t",
                    str(at),
                    "GBP",
                    str(total),
                    str(total),
                    "tok",
                    status,
                    "1",
                    str(at),
                    email,
                    address,
                    "GB",
                    fulfilment,
                    tags,
                    review,
                )
            )
            + "\n",
            "".join(
                f"{key}\t{line + 1}\t{sku(what[n * LINES + line])}\tA thing\t1\t{price}\t{price}\n"
                for line, price in enumerate(prices)
            ),
            f"{key}\t{state}\t5\t{deadline}\t{at}\n",
            "".join(
                f"{key}\t{step + 1}\t{WAY[step - 1] if step else NULL}\t{to}\tBench\t{NULL}\t{at}\n"
                for step, to in enumerate(WAY)
            ),
            "".join(
                "\t".join(
                    (
                        f"b-{n}-{step}",
                        "/shop/orders/bench",
                        f"shop.orders.order.{fact}.v1",
                        f"order/{key}",
                        "shop.orders",
                        "0",
                        str(key),
                        str(step + 1),
                        str(at),
                        f"bench-{n}",
                        "application/json",
                        f'{{"order_id": "{key}"}}',
                        str(n * 3 + step),
                        str(at),
                    )
                )
                + "\n"
                for step, fact in enumerate(FACTS)
            ),
        )


def _status(n: int, count: int) -> tuple[str, str]:
    if n % 200 == 7:
        return "rejected", "rejected"
    if n % 300 == 11:
        return "cancelled", "cancelled"
    if n > count - 3000:
        return ("pending", "holding") if n > count - 50 else ("confirmed", "completed")
    return "completed", "completed"


def fill(running: Shop, count: int, events: int) -> None:
    """Unless they are there already. Indexes are made when the rows are there, as a restored dump makes them.

    Only the newest `events` orders have their events: those are forgotten after 30 days.
    """
    tables = ("orders", "order_lines", "sagas", "saga_moves")
    with running.database() as books:
        known = books.execute("select exists (select from orders.orders where number like 'B%')").fetchone()
        if known and known[0]:
            return
        books.execute("set session_replication_role = replica")  # no look at the order for each of its lines
        books.execute("set maintenance_work_mem = '1GB'")
        with books.transaction():
            indexes = books.execute(
                """select indexname, indexdef from pg_indexes where schemaname = 'orders' and tablename = any(%s)
                and indexname not like '%%\\_key' and indexname not like '%%\\_pkey'""",
                [list(tables)],
            ).fetchall()
            for name, _ in indexes:
                books.execute(f"drop index orders.{name}".encode())
            made = rows(count)
            done = 0
            while batch := list(itertools.islice(made, 20_000)):
                done += len(batch)
                columns = (ORDER_COLUMNS, LINE_COLUMNS, SAGA_COLUMNS, MOVE_COLUMNS)
                for position, (table, names) in enumerate(zip(tables, columns, strict=True)):
                    with books.cursor().copy(f"copy orders.{table} ({names}) from stdin".encode()) as copy:
                        copy.write("".join(one[position] for one in batch))
                recent = [one for n, one in enumerate(batch, done - len(batch)) if n >= count - events]
                with books.cursor().copy(f"copy platform.outbox ({EVENT_COLUMNS}) from stdin".encode()) as copy:
                    copy.write("".join(one[4] for one in recent))
            for _, definition in indexes:
                books.execute(definition.encode())
            books.execute(
                """insert into orders.customers (id, name, email, country, created_at, updated_at)
                select id, 'Buyer ' || id, id || '@example.com', 'GB', now(), now()
                from (select distinct customer_id as id from orders.orders) c on conflict do nothing"""
            )
        books.execute("vacuum analyze")


async def reads(running: Shop, count: int, scale: int) -> list[Figures]:
    by = random.Random(5)
    since = datetime.now(UTC) - timedelta(days=DAYS)
    staff = {"authorization": f"Bearer {running.token('admin')}"}
    mine = {"authorization": f"Bearer {running.token('customer')}"}
    with running.database() as books:
        some = [
            str(row[0])
            for row in books.execute("select id from orders.orders order by placed_at desc limit 500").fetchall()
        ]
        ours = books.execute("select count(*) from orders.orders where customer_id = 'bench-customer'").fetchone()
    print(f"the customer who asks has {ours[0] if ours else 0:,} orders", flush=True)

    def day() -> tuple[str, str]:
        began = since + timedelta(days=by.random() * (DAYS - 1))
        return quote(began.isoformat()), quote((began + timedelta(days=1)).isoformat())

    def rare() -> str:
        return sku(by.randrange(SKUS // 2, SKUS))

    async with session(running) as http:
        async with http.get("/v1/orders?limit=100", headers=mine) as answer:
            cursor = quote((await answer.json())["next_cursor"] or "")
        admin = "/v1/admin/orders?"
        kinds = [
            ("my orders, first page", mine, lambda: "/v1/orders"),
            ("my orders, a later page", mine, lambda: f"/v1/orders?cursor={cursor}"),
            ("my orders, rejected", mine, lambda: "/v1/orders?status=rejected"),
            ("my orders, on their way", mine, lambda: "/v1/orders?status=pending&status=awaiting_customer"),
            ("my orders, of a day", mine, lambda: "/v1/orders?since={}&until={}".format(*day())),
            ("my orders, with a SKU", mine, lambda: f"/v1/orders?sku={sku(by.randrange(SKUS))}"),
            ("my orders, above an amount", mine, lambda: "/v1/orders?min_total_minor=19000"),
            ("desk: newest", staff, lambda: admin),
            ("desk: by number", staff, lambda: f"{admin}number={number_of(by.randrange(count))}"),
            ("desk: by reference", staff, lambda: f"{admin}reference=R-{by.randrange(count)}"),
            ("desk: by e-mail", staff, lambda: f"{admin}email={customer(by.randrange(1, CUSTOMERS))}%40Example.com"),
            ("desk: by customer", staff, lambda: f"{admin}customer_id={customer(by.randrange(1, CUSTOMERS))}"),
            ("desk: by a seldom SKU", staff, lambda: f"{admin}sku={rare()}"),
            ("desk: by the most sold SKU", staff, lambda: f"{admin}sku={sku(0)}"),
            ("desk: a seldom SKU, confirmed", staff, lambda: f"{admin}sku={rare()}&status=confirmed"),
            ("desk: rejected", staff, lambda: f"{admin}status=rejected"),
            ("desk: cancelled on a day", staff, lambda: admin + "status=cancelled&since={}&until={}".format(*day())),
            ("desk: expired, of which there are none", staff, lambda: f"{admin}status=expired"),
            ("desk: pending", staff, lambda: f"{admin}status=pending"),
            ("desk: confirmed, not sent", staff, lambda: f"{admin}status=confirmed&fulfilment=unfulfilled"),
            ("desk: of a day", staff, lambda: admin + "since={}&until={}".format(*day())),
            ("desk: of an amount", staff, lambda: "{0}min_total_minor={1}&max_total_minor={1}".format(
                admin, by.randrange(5000, 15000))),
            ("desk: above a large amount", staff, lambda: f"{admin}min_total_minor=19800"),
            ("desk: by tag", staff, lambda: f"{admin}tag=vip"),
            ("desk: under review", staff, lambda: f"{admin}review=true"),
            ("timeline of an order", staff, lambda: f"/v1/orders/{by.choice(some)}/timeline"),
            ("the whole of an order", staff, lambda: f"/v1/admin/orders/{by.choice(some)}"),
        ]  # fmt: skip
        found = []
        for operation, headers, asked in kinds:
            get = reader(http, headers, asked)
            await measured(running, operation, 20, 1, get)
            found.append(await measured(running, operation, 200 * scale, 1, get))
            p95 = statistics.quantiles(found[-1].latencies_ms, n=20)[18]
            print(found[-1].line(), "" if p95 <= LIMIT_MS else f"  more than {LIMIT_MS:.0f} ms", flush=True)
        await _export(running, http, staff, count)
    return found


async def _export(running: Shop, http: aiohttp.ClientSession, headers: dict[str, str], count: int) -> None:
    """All orders as a file, and how much memory the functions have more after it."""
    before, began, size = sum(running.memory_mb().values()), time.perf_counter(), 0
    since = quote((datetime.now(UTC) - timedelta(days=DAYS * min(1.0, 100_000 / count))).isoformat())
    async with http.get(f"/v1/admin/order-export?rows=orders&since={since}", headers=headers) as answer:
        async for chunk in answer.content.iter_any():
            size += chunk.count(b"\n")
    more = sum(running.memory_mb().values()) - before
    print(f"{size - 1:,} orders exported in {time.perf_counter() - began:.1f} s, memory {more:+.1f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many orders")
    parser.add_argument("--scale", type=int, default=1, help="how many times the usual number of operations")
    parser.add_argument("--keep", type=Path, help="a directory where the orders stay for the next time")
    options = parser.parse_args()
    with shop("embedded", options.keep) as running:
        began = time.perf_counter()
        fill(running, options.count, min(options.count, 50_000))
        print(f"{options.count:,} orders, there after {time.perf_counter() - began:.0f} s; one client", flush=True)
        asyncio.run(reads(running, options.count, options.scale))


if __name__ == "__main__":
    main()
