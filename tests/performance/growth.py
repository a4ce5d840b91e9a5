"""What an order touches of Postgres' buffers in a shop with a thousand orders, and in one with a million.

Run by `make bench-growth`. One order goes its whole way through the running shop; all rows that tell of it, in any
table, are then copied for as many others, older than it. New orders go theirs, and what timers and carriers touch
meanwhile counts too.
"""

import argparse
import asyncio
import time

import psycopg
from psycopg import sql

from tests.performance.bench import orders
from tests.performance.measuring import Shop, shop

SCHEMAS = ["orders", "inventory", "payments", "platform"]
BATCH = 50_000

TABLES = """
select c.oid::regclass::text as name, array_agg(a.attname::text order by a.attnum) as columns,
  array_agg(format_type(a.atttypid, null) order by a.attnum) as types
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  and a.attidentity = '' and a.attgenerated = ''
where n.nspname = any(%s) and c.relkind = 'r'
group by c.oid order by 1
"""
TEMPLATE = "select id::text from orders.orders where status = 'confirmed' order by id desc limit 1"
TOUCHED = "select blks_hit + blks_read, blks_read from pg_stat_database where datname = current_database()"
COUNT = "select count(*) from orders.orders"

OLDER = "('01800000-0000-7000-8000-' || lpad(to_hex(c.n), 12, '0'))"
"""An id like those of orders, from before all of them."""

# What is not to be the same in two orders, or in two events; of the copy.
SPECIAL = {
    ("orders.orders", "number"): "'C' || c.n",
    ("orders.orders", "customer_id"): "'customer-' || mod(c.n, 100000)",
    ("orders.orders", "placed_at"): "t.placed_at - c.n * interval '30 seconds'",
    ("platform.outbox", "id"): "t.id || c.n",
    ("platform.outbox", "log_offset"): "-c.n * 100 - t.position",  # before all that the carriers look at
    ("platform.inbox", "event_id"): "t.event_id || c.n",
    ("platform.idempotency", "key"): "t.key || c.n",
}

OWN = {"id", "fulfilment_id"}
"""What an order has of its own, beside its id."""


def copy_of(table: str, column: str, kind: str) -> str:
    """The SQL of the column in the copy, where `template` is the order's id."""
    if special := SPECIAL.get((table, column)):
        return special
    if kind == "uuid":
        other = f"md5(t.{column}::text || c.n)::uuid" if column in OWN else f"t.{column}"
        return f"case when t.{column} = template.id::uuid then {OLDER}::uuid else {other} end"
    if kind == "text":
        return f"replace(t.{column}, template.id, {OLDER})"
    return f"t.{column}"


def fill(books: psycopg.Connection, have: int, want: int) -> float:
    """Makes copies until there are `want` orders more than the shop's own; gives the seconds that it took."""
    began = time.perf_counter()
    template = books.execute(TEMPLATE).fetchone()
    assert template
    books.execute("set session_replication_role = replica")  # rows that are known to fit each other
    copied = []
    for number, (table, columns, kinds) in enumerate(books.execute(TABLES, [SCHEMAS]).fetchall()):
        whose = f"t::text like '%{template[0]}%'"
        if table == "platform.inbox":
            whose = f"t.event_id in (select id from platform.outbox where key = '{template[0]}')"  # noqa: S608 - an id of ours
        name = f"copied_{number}"
        books.execute(f"drop table if exists pg_temp.{name}".encode())
        extra = ", position" if table == "platform.outbox" else ""
        listed = ", ".join(columns)
        kept = f"create temp table {name} as select {listed}{extra} from {table} t where {whose}"  # noqa: S608 - names of ours
        if books.execute(kept.encode()).rowcount:
            values = ", ".join(copy_of(table, *pair) for pair in zip(columns, kinds, strict=True))
            source = f"{name} t, generate_series(%(first)s::int, %(last)s::int) as c (n)"
            copied.append(
                f"insert into {table} ({listed}) select {values} from {source}, (select %(id)s::text) as template (id)"  # noqa: S608 - names of ours
            )
    for first in range(have, want, BATCH):
        with books.transaction():
            for statement in copied:
                last = min(first + BATCH, want) - 1
                books.execute(statement.encode(), {"first": first, "last": last, "id": template[0]})
    for table, _, _ in books.execute(TABLES, [SCHEMAS]).fetchall():
        books.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(*table.split("."))))
    books.execute("checkpoint")
    return time.perf_counter() - began


def touched(running: Shop, books: psycopg.Connection, scale: int) -> tuple[float, float, str]:
    """Buffers and, of them, those that were not in Postgres' own cache, per order."""

    def read(statement: str) -> tuple[int, ...]:
        books.execute("select pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        row = books.execute(statement.encode()).fetchone()
        assert row
        return row

    asyncio.run(orders(running, "embedded", 1))  # plans and caches
    time.sleep(2)  # backends report what they have touched once a second at most
    before, started = read(TOUCHED), read(COUNT)
    (stream, _), _ = asyncio.run(orders(running, "embedded", scale))
    time.sleep(2)
    after, count = read(TOUCHED), read(COUNT)[0] - started[0]
    return (after[0] - before[0]) / count, (after[1] - before[1]) / count, stream.line()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, action="append", help="default: 1000, then 1000000")
    parser.add_argument("--scale", type=int, default=1)
    options = parser.parse_args()
    first, have = 0.0, 0
    with shop("embedded") as running, running.database() as books:
        asyncio.run(orders(running, "embedded", 1))
        for want in sorted(options.orders or [1_000, 1_000_000]):
            seconds = fill(books, have, want)
            buffers, read, line = touched(running, books, options.scale)
            first, have = first or buffers, want
            print(f"{want:>9,} orders (after {seconds:.0f} s): {buffers:,.0f} buffers an order, ", end="")
            print(f"{buffers / first:.2f} of the first; {read:.1f} not in the cache\n          {line}", flush=True)


if __name__ == "__main__":
    main()
