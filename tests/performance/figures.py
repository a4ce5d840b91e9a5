"""What figures cost: counting orders of one hot day, and reading three years of them.

`make bench-figures`. A hop is an event handed to its function's endpoint, as the dispatcher of one machine does it.
"""

import argparse
from functools import partial
from uuid import UUID

from shared.orders.events import OrderConfirmed
from shared.orders.figures_rebuilding import PUT_FACTS
from shared.orders.queries import PRODUCTS, TOTALS
from shared.runtime.db import compiled
from tests.performance.hops import Call, Job, Server, delivery, measured, server

SKUS = 3_000

ORDERS = """
create temp table numbers as
select n, lpad(to_hex({first} + n), 32, '0')::uuid as id from generate_series(1, {orders}) n;
insert into orders.orders (id, number, customer_id, recorded, placed_at, currency, country, total_minor, payment_token,
  status, version, created_at)
select id, id, 'customer-' || n % 20000, true, {at}, 'GBP', (array['GB', 'DE', 'FR', 'IE'])[1 + n % 4],
  {lines} * 100, 't', 'confirmed', 1, now() from numbers;
insert into orders.order_lines (order_id, line_no, sku, title, quantity, unit_price_minor, total_minor)
select id, l, 'SKU-' || (n::bigint * 7 + l) % {skus}, 'A thing', 1, 100, 100
from numbers, generate_series(1, {lines}) l;
insert into orders.sagas (order_id, state, payment, moves, updated_at)
select id, 'completed', 'captured', 5, now() from numbers;
drop table numbers
"""


def fill(running: Server, first: int, orders: int, lines: int, at: str = "now()") -> None:
    with running.books() as books:
        books.execute(ORDERS.format(first=first, orders=orders, lines=lines, skus=SKUS, at=at).encode())


def confirmed(first: int, process: int, count: int) -> list[Call]:
    """Every process has orders of its own."""
    start = first + 1 + process * count
    return [delivery(OrderConfirmed(order_id=UUID(int=start + n), currency="GBP", total_minor=1)) for n in range(count)]


def counting(running: Server, count: int) -> None:
    print("\ncounting orders of one day: they share one row of sums by country, and rows by product")
    first = 1
    for lines in (2, 27):
        for processes, tasks in ((1, 1), (1, 16), (2, 8), (2, 16)):
            each = count if tasks == 1 else 4 * count
            orders = processes * (each + 100 * tasks)
            fill(running, first, orders, lines)
            job = Job("count_figures", partial(confirmed, first), each, processes, tasks)
            print(measured(running, f"{lines} lines, {processes} x {tasks} under way", job).line(), flush=True)
            first += orders


def asked(running: Server, path: str, query: str, _process: int, count: int) -> list[Call]:
    headers = {"authorization": f"Bearer {running.token}"}
    return [Call("GET", path, query.encode(), headers, b"")] * count


def reading(running: Server, orders: int) -> None:
    """The books of three years, counted as the rebuild does it."""
    fill(running, 10**9, orders, 5, at=f"now() - interval '1095 days' * n / {orders}")
    with running.books() as books:
        books.execute("truncate orders.sales_facts, orders.sales_days, orders.product_days")
        books.execute("analyze")
        statement = compiled(PUT_FACTS)
        ids = [row[0] for row in books.execute("select id from orders.orders").fetchall()]
        books.execute(statement.sql.encode(), statement.bound({"orders": ids}))
        for table, sums in (("sales_days", TOTALS), ("product_days", PRODUCTS)):
            books.execute(f"insert into orders.{table} {sums.format(facts='orders.sales_facts')}".encode())
        books.execute("vacuum analyze")
        (facts,) = books.execute("select count(*) from orders.sales_facts").fetchone() or (0,)
        (rows,) = books.execute("select count(*) from orders.product_days").fetchone() or (0,)
    print(f"\nreading: {facts:,} sales in three years, {rows:,} sums by product and day")
    for operation, function, path, query in (
        ("sales by month", "get_sales_figures", "/v1/figures/sales", ""),
        ("sales by day, of a country", "get_sales_figures", "/v1/figures/sales", "by=day&country=DE"),
        ("the ten best products of three years", "get_product_figures", "/v1/figures/products", ""),
        ("the same of a month", "get_product_figures", "/v1/figures/products", "from=2026-01-01&to=2026-01-31"),
        ("outcomes by week", "get_order_figures", "/v1/figures/orders", "by=week"),
        ("customers and cohorts", "get_customer_figures", "/v1/figures/customers", ""),
    ):
        job = Job(function, partial(asked, running, path, query), 5 if "customers" in operation else 20, warm=2)
        print(measured(running, operation, job).line(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="orders counted one after the other")
    parser.add_argument("--orders", type=int, default=300_000, help="orders that are read")
    chosen = parser.parse_args()
    with server() as running:
        counting(running, chosen.count)
        reading(running, chosen.orders)


if __name__ == "__main__":
    main()
