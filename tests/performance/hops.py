"""Functions called by processes of their own over a Postgres of their own, without carriers between them.

An endpoint is called as the dispatcher of one machine calls it: bytes in, bytes out.
"""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psycopg
import uvloop

from functions import load
from infra.local import logins
from infra.local.embedded import Embedded
from infra.postgres.migrate import migrate
from shared.runtime import Envelope, Event
from shared.runtime.ids import new_id
from shared.runtime.serve import Runtime, endpoint
from shared.runtime.settings import Settings
from tests.performance.measuring import cpu_s, descendants

DATABASE = "shop"


@dataclass(frozen=True, slots=True)
class Server:
    """A durable Postgres, as `make run` starts it."""

    pid: int
    owner_url: str
    app_url: str

    def cpu_s(self) -> float:
        return sum(map(cpu_s, descendants(self.pid)))

    def books(self) -> psycopg.Connection:
        return psycopg.connect(self.owner_url, autocommit=True)


@contextmanager
def server(keep: Path | None = None) -> Iterator[Server]:
    """With `keep` its data stays in that directory, and is there the next time."""
    with tempfile.TemporaryDirectory(prefix="kn-shop-bench-") as temporary:
        directory = keep or Path(temporary)
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        postgres = Embedded(directory)
        postgres.start()
        try:
            with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
                if not connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchall():
                    connection.execute(f"create database {DATABASE}".encode())
            url = postgres.url(DATABASE)
            logins.ensure(url)
            migrate(url)
            assert postgres.pid is not None
            yield Server(postgres.pid, url, logins.url_as(url, logins.APP))
        finally:
            postgres.stop()


Deliver = Callable[[Event], Awaitable[int]]


def delivery(runtime: Runtime, function: str) -> Deliver:
    """Calls the function with an event of its own id; gives the status."""
    target = endpoint(load(function), runtime)

    async def deliver(event: Event) -> int:
        envelope = Envelope(
            id=str(new_id()),
            source=f"/shop/{event.sent_by[0]}/bench",
            type=event.type,
            time="2026-03-01T12:00:00.000000Z",
            data=event.model_dump_json().encode(),
            subject=event.subject,
            partitionkey=event.key,
            sequence="1",
        )
        return (await target.handle("POST", "/", b"", envelope.to_http_headers(), envelope.data)).status

    return deliver


@dataclass(slots=True)
class Shift:
    """What one process did."""

    cpu_s: float = 0.0
    elapsed_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


Once = Callable[[], Awaitable[int]]
Job = Callable[[Runtime], Once]
"""Made once in each process; what it gives is called again and again, by several tasks."""


async def _work(app_url: str, job: Job, tasks: int, seconds: float, begin: Barrier) -> Shift:
    runtime = Runtime.start(Settings(database_url=app_url, db_pool=tasks))
    once, shift = job(runtime), Shift()
    until = time.perf_counter() + 1.0  # connections, prepared statements

    async def task(counted: bool) -> None:
        while (began := time.perf_counter()) < until:
            status = await once()
            if counted:
                shift.latencies_ms.append((time.perf_counter() - began) * 1000)
                shift.statuses[status] += 1

    await asyncio.gather(*(task(False) for _ in range(tasks)))
    await asyncio.to_thread(begin.wait)
    cpu, began = time.process_time(), time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(task(True) for _ in range(tasks)))
    shift.cpu_s, shift.elapsed_s = time.process_time() - cpu, time.perf_counter() - began
    await runtime.stop()
    return shift


def _process(app_url: str, job: Job, tasks: int, seconds: float, begin: Barrier, done: "Queue[Shift]") -> None:
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)  # the log is written, and nobody reads it
    done.put(uvloop.run(_work(app_url, job, tasks, seconds, begin)))


def shifts(running: Server, job: Job, processes: int, tasks: int, seconds: float) -> tuple[list[Shift], float]:
    """What each process did, and the CPU of Postgres meanwhile."""
    spawn = multiprocessing.get_context("spawn")
    begin, done = spawn.Barrier(processes + 1), spawn.Queue()
    crew = [
        spawn.Process(target=_process, args=(running.app_url, job, tasks, seconds, begin, done))
        for _ in range(processes)
    ]
    for process in crew:
        process.start()
    begin.wait(60)
    before = running.cpu_s()
    found = [done.get(timeout=seconds + 60) for _ in crew]
    after = running.cpu_s()
    for process in crew:
        process.join(10)
    return found, after - before
