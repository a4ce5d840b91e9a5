"""What inventory costs: holds of one hot SKU beside pgbench's plain update of a row, and single hops beside raw SQL.

`make bench-inventory`. A hop is an event handed to its function's endpoint, as the dispatcher of one machine does it.
"""

import argparse
import random
import re
import subprocess
import tempfile
from functools import partial
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import orjson
from sqlalchemy import TextClause

from infra.local.embedded import tool
from shared.inventory import holds, items, opening
from shared.inventory.counts import COUNTS
from shared.inventory.events import AllocatedLine, CommitHold, HoldLine, HoldStock, ReleaseHold, StockHeld
from shared.inventory.holds import Status
from shared.runtime import inbox, outbox
from shared.runtime.events import JSON, partition_of
from shared.runtime.ids import new_id
from tests.conftest import NOW
from tests.performance.hops import Call, Job, Server, Values, delivery, measured, raw, server

HOT, SKUS, LOCATIONS, PLENTY = "HOT", 1_000, ("LON", "LEEDS"), 10**8
COMMITTED, RELEASED, RAW = 1_000_000, 2_000_000, 3_000_000
"""From which number on there are orders to commit and to release, and those of the raw statements."""

PLAIN = "update public.plain set held = held + 1 where id = 1 and on_hand - held >= 1;\n"

FILL = """
insert into inventory.locations (id, name, created_at) values ('LON', 'London', now()), ('LEEDS', 'Leeds', now());
insert into inventory.items (sku, tracked, status, updated_at)
select sku, true, 'in_stock', now() from (select 'SKU-' || n from generate_series(0, {skus} - 1) n
  union all select '{hot}') s (sku);
insert into inventory.stock (sku, location, on_hand, status, changed_at)
select sku, l.id, {plenty}, 'in_stock', now() from inventory.items, inventory.locations l
where sku <> '{hot}' or l.id = 'LON';
insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, at, recorded_at)
select sku, location, on_hand, on_hand, 'received', 'ann', now(), now() from inventory.stock;
create temp table orders as
select n, lpad(to_hex(n), 32, '0')::uuid as id
from (select {committed} + n from generate_series(0, {orders} - 1) n union all
  select {released} + n from generate_series(0, {orders} - 1) n union all
  select {raw} + n from generate_series(0, 3 * {orders} - 1) n where n >= {orders}) o (n);
insert into inventory.holds (order_id, status, expires_at, created_at, updated_at)
select id, 'HELD', now() + interval '1 day', now(), now() from orders;
insert into inventory.hold_lines (order_id, sku, location, quantity)
select id, 'SKU-' || (n + k) % {skus}, 'LON', 1 from orders, (values (0), (7)) as t (k);
update inventory.stock s set held = l.quantity
from (select sku, location, sum(quantity) as quantity from inventory.hold_lines group by sku, location) l
where (l.sku, l.location) = (s.sku, s.location);
create table public.plain as select 1 as id, 0::bigint as held, {plenty}::bigint as on_hand;
alter table public.plain add primary key (id);
"""


def fill(running: Server, orders: int) -> None:
    with running.books() as books:
        numbers = {"committed": COMMITTED, "released": RELEASED, "raw": RAW, "orders": orders}
        books.execute(FILL.format(skus=SKUS, hot=HOT, plenty=PLENTY, **numbers).encode())
        books.execute("vacuum analyze")


def of_hot_sku(_process: int, count: int) -> list[Call]:
    lines = [HoldLine(sku=HOT, quantity=1)]
    return [delivery(HoldStock(order_id=new_id(), lines=lines, expires_in_s=900)) for _ in range(count)]


def of_two_lines(process: int, count: int) -> list[Call]:
    by = random.Random(process)
    commands = (
        HoldStock(
            order_id=new_id(),
            lines=[HoldLine(sku=f"SKU-{number}", quantity=1) for number in by.sample(range(SKUS), 2)],
            expires_in_s=900,
        )
        for _ in range(count)
    )
    return [delivery(command) for command in commands]


def commits(_process: int, count: int) -> list[Call]:
    return [delivery(CommitHold(order_id=UUID(int=COMMITTED + n))) for n in range(count)]


def releases(_process: int, count: int) -> list[Call]:
    return [delivery(ReleaseHold(order_id=UUID(int=RELEASED + n))) for n in range(count)]


def checks(token: str, process: int, count: int) -> list[Call]:
    by, headers = random.Random(process), {"authorization": f"Bearer {token}"}
    return [Call("GET", "/v1/stock", urlencode(_fifty(by)).encode(), headers, b"") for _ in range(count)]


def whys(token: str, process: int, count: int) -> list[Call]:
    by, headers = random.Random(process), {"authorization": f"Bearer {token}"}
    return [Call("GET", f"/v1/stock/SKU-{by.randrange(SKUS)}/why", b"", headers, b"") for _ in range(count)]


def _fifty(by: random.Random) -> list[tuple[str, str]]:
    return [("sku", f"SKU-{number}") for number in by.sample(range(SKUS), 50)]


def plain(running: Server, clients: int, count: int) -> float:
    """Updates a second."""
    (host,) = parse_qs(urlsplit(running.owner_url).query)["host"]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PLAIN)
        script.flush()
        each = str(max(1, count // clients))
        command = [str(tool("pgbench")), "-n", "-f", script.name, "-M", "prepared", "-c", str(clients), "-t", each]
        done = subprocess.run(
            [*command, "-h", host, "-U", "postgres", "shop"], check=True, capture_output=True, text=True
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def hot(running: Server, scale: int) -> None:
    """As many clients of pgbench as events are under way, right before and right after."""
    print("\none hot SKU: holds/s, and beside it pgbench's plain conditional update of one row by as many clients")
    for processes, tasks in ((1, 1), (1, 16), (2, 8), (2, 16)):
        clients = processes * tasks
        before = plain(running, clients, 10_000 * scale)
        count = (1_000 if tasks == 1 else 6_000) * scale
        job = Job("hold_stock", of_hot_sku, count, processes, tasks)
        figures = measured(running, f"holds, {processes} x {tasks} under way", job)
        limit = (before + plain(running, clients, 10_000 * scale)) / 2
        ratio = figures.count / figures.elapsed_s / limit
        print(f"{figures.line()}   plain {limit:.0f}/s, ratio {ratio:.2f}", flush=True)


def hops(running: Server, count: int) -> None:
    print("\nsingle functions, and the same statements by a driver alone on one connection")
    for operation, function, calls in (
        ("hold two lines", "hold_stock", of_two_lines),
        ("commit two lines", "commit_hold", commits),
        ("release two lines", "release_hold", releases),
        ("check the stock of 50 SKUs", "check_stock", partial(checks, running.token)),
        ("what stands behind a SKU", "explain_stock", partial(whys, running.token)),
    ):
        print(measured(running, operation, Job(function, calls, count)).line(), flush=True)
    together = Job("hold_stock", of_two_lines, 4 * count, tasks=16)
    print(measured(running, "hold two lines, 16 under way", together).line(), flush=True)
    for operation, statements in (
        ("raw SQL: hold two lines", _raw_hold),
        ("raw SQL: commit two lines", _raw_commit),
        ("raw SQL: release two lines", _raw_release),
        ("raw SQL: check the stock of 50 SKUs", _raw_check),
    ):
        print(raw(running, operation, [statements(n, count) for n in range(count)]).line(), flush=True)


Transaction = list[tuple[TextClause, Values]]


def _inbox(consumer: str) -> tuple[TextClause, Values]:
    return inbox.FIRST, {"consumer": consumer, "source": "/shop/orders/test", "event_id": str(new_id())}


def _outbox(order: UUID) -> tuple[TextClause, Values]:
    lines = tuple(AllocatedLine(sku=f"SKU-{n}", location="LON", quantity=1) for n in range(2))
    row = {
        "id": new_id(),
        "type": StockHeld.type,
        "subject": f"hold/{order}",
        "topic": StockHeld.topic,
        "partition": partition_of(str(order)),
        "key": str(order),
        "later": 0,
        "data": StockHeld(order_id=order, expires_at=NOW, allocations=lines).model_dump_json(),
        "correlation": str(order),
    }
    source = "/shop/inventory/hold-stock"
    return outbox.LEAVE, {"events": orjson.dumps([row]).decode(), "source": source, "content_type": JSON}


def _lines(n: int) -> list[str]:
    return sorted(f"SKU-{(n + k) % SKUS}" for k in (0, 7))


def _raw_hold(n: int, _count: int) -> Transaction:
    order, skus = UUID(int=4_000_000 + n), _lines(n)
    taken = {
        "orders": [order] * 2,
        "skus": skus,
        "locations": ["LON"] * 2,
        "quantities": [1, 1],
        "backordered": [0, 0],
    }
    return [
        _inbox("hold-stock"),
        (opening.OPEN, {"orders": [order], "expiries": [NOW], "skus": skus, "now": NOW}),
        (items.READ, {"skus": skus}),
        (opening.TAKE, taken),
        _outbox(order),
    ]


def _raw_commit(n: int, count: int) -> Transaction:
    order = UUID(int=RAW + count * 2 + n)
    return [
        _inbox("commit-hold"),
        (holds.HOLD, {"order_id": order}),
        (holds.COMMIT, {"order_id": order, "now": NOW}),
        _outbox(order),
    ]


def _raw_release(n: int, count: int) -> Transaction:
    order = UUID(int=RAW + count + n)
    given = {"orders": [order] * 2, "skus": _lines(order.int), "locations": ["LON"] * 2, "quantities": [1, 1]}
    return [
        _inbox("release-hold"),
        (holds.HOLD, {"order_id": order}),
        (holds.LOCK_STOCK, {"orders": [order]}),
        (holds.LINES, {"orders": [order]}),
        (holds.READ_STOCK, {"orders": [order]}),
        (holds.GIVE_BACK[Status.HELD], given),
        (holds.END, {"orders": [order], "status": Status.RELEASED, "now": NOW}),
        _outbox(order),
    ]


def _raw_check(n: int, _count: int) -> Transaction:
    return [(COUNTS, {"skus": [sku for _, sku in _fifty(random.Random(n))]})]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1, help="how many times the usual number of operations")
    options = parser.parse_args()
    count = 2_000 * options.scale
    with server() as running:
        fill(running, count + 200)
        hops(running, count)
        hot(running, options.scale)


if __name__ == "__main__":
    main()
