"""What an operation costs: CPU of each process and of Postgres, latency and hops, beside the bare limits, in one run.

Run by `make bench`. Figures of a shared machine waver: read the ratios.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from socket import socket
from uuid import uuid4

import aiohttp
import psycopg

ROOT = Path(__file__).resolve().parents[2]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SKUS = ("MUG-BLUE", "TEA-TIN")


@dataclass
class Shop:
    """A whole shop of its own, as `make run` starts it."""

    url: str
    process: subprocess.Popen[bytes]
    home: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def processes(self) -> dict[str, list[int]]:
        """The shop's processes by name: those of ours are told apart by the log that they write."""
        found: dict[str, list[int]] = {}
        for pid in _descendants(self.process.pid):
            log = Path(f"/proc/{pid}/fd/1").resolve().stem
            found.setdefault("supervisor" if pid == self.process.pid else log, []).append(pid)
        return found

    def cpu_s(self) -> dict[str, float]:
        return {name: sum(map(_cpu_s, pids)) for name, pids in self.processes().items()}

    def memory_mb(self) -> dict[str, float]:
        """The proportional set: memory shared between processes is counted once, in parts."""
        return {name: sum(map(_pss_mb, pids)) for name, pids in self.processes().items()}

    def database(self) -> psycopg.Connection:
        (sockets,) = self.home.glob("*/socket")
        return psycopg.connect(host=str(sockets), user="postgres", dbname="shop", autocommit=True)

    def token(self, role: str) -> str:
        if role not in self.tokens:
            body = json.dumps({"subject": f"bench-{role}", "roles": [role]}).encode()
            connection = HTTPConnection(self.url.removeprefix("http://"))
            connection.request("POST", "/dev/tokens", body, {"content-type": "application/json"})
            with connection.getresponse() as answer:
                self.tokens[role] = json.load(answer)["token"]
        return self.tokens[role]


@contextlib.contextmanager
def shop(carrier: str) -> Iterator[Shop]:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="kn-shop-bench-") as home:
        Path(home).chmod(0o755)
        environment = {**os.environ, "PORT": str(port), "KN_SHOP_HOME": home, "BROKER": carrier, "LOG_LEVEL": "info"}
        environment["RATE_LIMIT_SCALE"] = "1000"  # what limits cost is measured, and nobody is refused
        environment.pop("DATABASE_URL", None)
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"], cwd=ROOT, env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout
        try:
            for line in process.stdout:
                if line.strip() == b"READY":
                    break
            else:
                raise SystemExit("the shop did not start")
            yield Shop(f"http://127.0.0.1:{port}", process, Path(home))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def _cpu_s(pid: int) -> float:
    """User and system time of the process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) * TICK_S


def _pss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


@dataclass
class Figures:
    operation: str
    count: int
    cpu_ms: dict[str, float]
    latencies_ms: list[float]
    elapsed_s: float

    @property
    def total_ms(self) -> float:
        return sum(self.cpu_ms.values())

    def line(self) -> str:
        cuts = statistics.quantiles(self.latencies_ms, n=20) if len(self.latencies_ms) > 1 else self.latencies_ms * 19
        parts = "  ".join(f"{name} {value:.2f}" for name, value in sorted(self.cpu_ms.items()) if value >= 0.005)
        return (
            f"{self.operation:<44}{self.total_ms:>8.2f} ms  {self.count / self.elapsed_s:>7.0f}/s"
            f"  p50 {cuts[9]:>7.1f}  p95 {cuts[18]:>7.1f} ms   {parts}"
        )


async def measured(
    running: Shop, operation: str, count: int, clients: int, once: Callable[[], Awaitable[None]], settle: float = 0.0
) -> Figures:
    """Runs `once` `count` times from `clients` clients; the CPU of all the shop's processes is shared out."""
    numbers = iter(range(count))
    latencies: list[float] = []

    async def client() -> None:
        for _ in numbers:
            began = time.perf_counter()
            await once()
            latencies.append((time.perf_counter() - began) * 1000)

    before, began = running.cpu_s(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - began
    await asyncio.sleep(settle)
    after = running.cpu_s()
    cpu = {name: (after[name] - before.get(name, 0.0)) * 1000 / count for name in after}
    return Figures(operation, count, cpu, latencies, elapsed)


@contextlib.asynccontextmanager
async def session(running: Shop) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(running.url, connector=connector) as opened:
        yield opened


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
            await _stock_up(http, running.token("admin"), sku)
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


async def _stock_up(http: aiohttp.ClientSession, admin: str, sku: str) -> None:
    headers = {"authorization": f"Bearer {admin}", "idempotency-key": str(uuid4())}
    async with http.get(f"/v1/stock/{sku}", headers=headers) as answer:
        location = (await answer.json())["locations"][0]["location"]
    body = {"delta": 1_000_000, "reason": "stocked up for a benchmark"}
    async with http.post(f"/v1/stock/{sku}/{location}/adjustments", json=body, headers=headers) as answer:
        assert answer.status == 201, await answer.text()


def raw_sql(running: Shop, count: int) -> list[Figures]:
    """The same reads by a driver alone, on one connection: what Postgres and the driver cost at the least."""
    figures = []
    with running.database() as books:
        for operation, sql, values in (
            ("raw SQL: get a product", "select document, version from catalog.products where sku = %s", ["MUG-BLUE"]),
            (
                "raw SQL: list 20 products",
                "select sku, document from catalog.products where status = 'published' order by sku limit %s",
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
            memory = running.memory_mb()
            own = sum(value for name, value in memory.items() if name not in ("postgres", "kafka"))
            parts = "  ".join(f"{name} {value:.0f}" for name, value in sorted(memory.items()))
            print(f"memory without Postgres and Kafka {own:.0f} MB (proportional set)   {parts}")


if __name__ == "__main__":
    main()
