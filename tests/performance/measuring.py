"""A whole shop of its own to measure, and what an operation on it costs: CPU of each process, latency, memory."""

import asyncio
import contextlib
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
from http.client import HTTPConnection
from pathlib import Path
from socket import socket
from urllib.parse import quote

import aiohttp
import psycopg

ROOT = Path(__file__).resolve().parents[2]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


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
        for pid in descendants(self.process.pid):
            log = Path(f"/proc/{pid}/fd/1").resolve().stem
            found.setdefault("supervisor" if pid == self.process.pid else log, []).append(pid)
        return found

    def cpu_s(self) -> dict[str, float]:
        return {name: sum(map(cpu_s, pids)) for name, pids in self.processes().items()}

    def memory_mb(self) -> dict[str, float]:
        """The proportional set: memory shared between processes is counted once, in parts."""
        return {name: sum(map(_pss_mb, pids)) for name, pids in self.processes().items()}

    @property
    def database_url(self) -> str:
        (sockets,) = self.home.glob("*/socket")
        return f"postgresql://postgres@/shop?host={quote(str(sockets), safe='')}"

    def database(self) -> psycopg.Connection:
        return psycopg.connect(self.database_url, autocommit=True)

    def token(self, role: str) -> str:
        if role not in self.tokens:
            body = json.dumps({"subject": f"bench-{role}", "roles": [role]}).encode()
            connection = HTTPConnection(self.url.removeprefix("http://"))
            connection.request("POST", "/dev/tokens", body, {"content-type": "application/json"})
            with connection.getresponse() as answer:
                self.tokens[role] = json.load(answer)["token"]
        return self.tokens[role]


@contextlib.contextmanager
def shop(carrier: str, keep: Path | None = None) -> Iterator[Shop]:
    """With `keep` its data stays in that directory, and is there the next time."""
    with tempfile.TemporaryDirectory(prefix="kn-shop-bench-") as temporary:
        home = keep or Path(temporary)
        home.mkdir(exist_ok=True)
        home.chmod(0o755)
        port = _port(home / "port")
        environment = {
            **os.environ,
            "PORT": str(port),
            "KN_SHOP_HOME": str(home),
            "BROKER": carrier,
            "LOG_LEVEL": "info",
            "RATE_LIMIT_SCALE": "1000",  # what limits cost is measured, and nobody is refused
        }
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
            yield Shop(f"http://127.0.0.1:{port}", process, home)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def _port(remembered: Path) -> int:
    """A free one, but the same for the same data: a shop's state belongs to its port."""
    if not remembered.exists():
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            remembered.write_text(str(free.getsockname()[1]))
    return int(remembered.read_text())


def descendants(root: int) -> list[int]:
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


def cpu_s(pid: int) -> float:
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
