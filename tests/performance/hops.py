"""Functions called by processes of their own over a Postgres of their own, without carriers between them.

An endpoint is called as the dispatcher of one machine calls it: bytes in, bytes out.
"""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from sqlalchemy import Executable

from functions import load
from infra.local import logins
from infra.local.embedded import Embedded
from infra.postgres.migrate import migrate
from shared.runtime import Event
from shared.runtime.db import compiled
from shared.runtime.serve import Runtime, endpoint
from shared.runtime.settings import Settings
from tests.conftest import delivered
from tests.issuer import AUDIENCE, ISSUER, Issuer
from tests.performance.measuring import Figures, cpu_s, descendants

DATABASE = "shop"
WARM = 100


@dataclass(frozen=True, slots=True)
class Server:
    """A durable Postgres, as `make run` starts it, and an administrator's token for functions that use it."""

    pid: int
    owner_url: str
    settings: Settings
    token: str

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
            issuer = Issuer()
            settings = Settings(
                database_url=logins.url_as(url, logins.APP),
                jwks_url=issuer.publish(directory / "jwks.json"),
                jwt_issuer=ISSUER,
                jwt_audience=AUDIENCE,
            )
            yield Server(postgres.pid, url, settings, issuer.token("ann", "admin"))
        finally:
            postgres.stop()


@dataclass(frozen=True, slots=True)
class Call:
    """What an endpoint is handed."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes


def delivery(event: Event) -> Call:
    """The event as the dispatcher delivers it."""
    headers, body = delivered(event)
    return Call("POST", "/", b"", headers, body)


Calls = Callable[[int, int], Sequence[Call]]
"""Makes so many calls for the process of this number, before the time is taken."""


@dataclass(slots=True)
class Shift:
    """What one process did."""

    cpu_s: float
    elapsed_s: float
    latencies_ms: list[float]


@dataclass(frozen=True, slots=True)
class Job:
    """`count` calls of a function by each of so many processes, from `tasks` tasks each, after `warm` of each task."""

    function: str
    calls: Calls
    count: int
    processes: int = 1
    tasks: int = 1
    warm: int = WARM


async def _work(settings: Settings, job: Job, number: int, begin: Barrier) -> Shift:
    runtime = Runtime.start(settings)
    target = endpoint(load(job.function), runtime)
    warm = job.warm * job.tasks
    calls = job.calls(number, job.count + warm)
    latencies = []

    async def task(own: Iterator[Call]) -> None:
        for call in own:
            began = time.perf_counter()
            answer = await target.handle(call.method, call.path, call.query, call.headers, call.body)
            latencies.append((time.perf_counter() - began) * 1000)
            assert answer.status < 300, (answer.status, answer.body)

    async def all_of(some: Sequence[Call]) -> None:
        own = iter(some)
        await asyncio.gather(*(task(own) for _ in range(job.tasks)))

    await all_of(calls[:warm])  # connections, prepared statements
    latencies.clear()
    await asyncio.to_thread(begin.wait)
    cpu, began = time.process_time(), time.perf_counter()
    await all_of(calls[warm:])
    shift = Shift(time.process_time() - cpu, time.perf_counter() - began, latencies)
    await runtime.stop()
    return shift


def _process(settings: Settings, job: Job, number: int, begin: Barrier, done: "Queue[Shift]") -> None:
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)  # the log is written, and nobody reads it
    done.put(uvloop.run(_work(settings, job, number, begin)))


def measured(running: Server, operation: str, job: Job) -> Figures:
    """CPU is that of the processes that serve, and of Postgres."""
    spawn = multiprocessing.get_context("spawn")
    begin, done = spawn.Barrier(job.processes + 1), spawn.Queue()
    settings = replace(running.settings, db_pool=job.tasks)
    crew = [
        spawn.Process(target=_process, args=(settings, job, number, begin, done)) for number in range(job.processes)
    ]
    for process in crew:
        process.start()
    begin.wait(120)
    before, began = running.cpu_s(), time.perf_counter()
    shifts = [done.get(timeout=600) for _ in crew]
    elapsed, postgres = time.perf_counter() - began, running.cpu_s() - before
    for process in crew:
        process.join(10)
    count = job.count * job.processes
    cpu = {"function": sum(shift.cpu_s for shift in shifts) * 1000 / count, "postgres": postgres * 1000 / count}
    return Figures(operation, count, cpu, [ms for shift in shifts for ms in shift.latencies_ms], elapsed)


Values = dict[str, Any]


def raw(running: Server, operation: str, transactions: Sequence[Sequence[tuple[Executable, Values]]]) -> Figures:
    """The same statements by a driver alone, on one connection, each transaction sent at once."""
    with running.books() as books:

        def send(transaction: Sequence[tuple[Executable, Values]]) -> None:
            with books.pipeline(), books.transaction():
                for statement, values in transaction:
                    known = compiled(statement)
                    books.execute(known.sql.encode(), known.bound(dict(values)), prepare=True)

        for transaction in transactions[:WARM]:
            send(transaction)
        before, own, began = running.cpu_s(), time.process_time(), time.perf_counter()
        latencies = []
        for transaction in transactions[WARM:]:
            started = time.perf_counter()
            send(transaction)
            latencies.append((time.perf_counter() - started) * 1000)
        elapsed, count = time.perf_counter() - began, len(latencies)
        cpu = {"postgres": (running.cpu_s() - before) * 1000 / count}
        cpu["driver"] = (time.process_time() - own) * 1000 / count
        return Figures(operation, count, cpu, latencies, elapsed)
