"""Random transactions of many lines from several processes: no deadlock, and books that agree.

`make locks TRANSACTIONS=1000000`. Functions are called at their endpoints, as the dispatcher calls them: the locks of
inbox, idempotency keys and streams are part of the transactions, and what is answered 503 is sent again.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import orjson
import psycopg
import uvloop

from functions import load
from infra.local.postgres import Cloned, test_server
from shared.inventory.events import (
    CommitHold,
    ExtendHold,
    HoldLine,
    HoldStock,
    PartLine,
    ReleaseHold,
    ReleasePart,
    ShipHold,
)
from shared.platform.invariants import CHECKS
from shared.runtime import Event
from shared.runtime.answers import Answer
from shared.runtime.ids import new_id
from shared.runtime.serve import Endpoint, Runtime, endpoint
from shared.runtime.settings import Settings
from tests.conftest import delivered
from tests.issuer import AUDIENCE, ISSUER, Issuer

LOCATIONS = ("LON", "LEEDS", "PARIS", "OSLO")
CLOSING = ("PARIS", "OSLO")
ORDERS = 400
"""So many orders are young at a time, in all processes together: commands of one order meet."""

BOOKS = (
    "stock_equals_ledger",
    "promised_equals_holds",
    "nothing_is_oversold",
    "stock_status_is_told",
    "transfers_equal_ledger",
    "closed_locations_give_nothing",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to an HTTP function."""

    path: str
    body: Any
    method: str = "POST"
    media_type: str = "application/json"
    version: int | None = None


class Chance:
    """What to do next, and to what."""

    def __init__(self, seed: int, skus: int) -> None:
        self.by = random.Random(seed)
        self._skus = [f"SKU-{number}" for number in range(skus)]
        self.done = 0
        self.transfers: deque[str] = deque(maxlen=50)
        self.versions = dict.fromkeys(LOCATIONS, 1)

    def order(self) -> UUID:
        return UUID(int=self.by.randint(self.done // 8, self.done // 8 + ORDERS))

    def skus(self, most: int) -> list[str]:
        """In any order, and some of them twice."""
        return self.by.choices(self._skus, weights=range(len(self._skus), 0, -1), k=self.by.randint(1, most))

    def sku(self) -> str:
        return self.skus(1)[0]

    def location(self) -> str:
        return self.by.choice(LOCATIONS)

    def transfer(self) -> str:
        return self.by.choice(self.transfers or (str(UUID(int=0)),))

    def part(self) -> list[PartLine]:
        return [
            PartLine(sku=sku, location=self.by.choice((None, *LOCATIONS)), quantity=self.by.randint(1, 3))
            for sku in self.skus(4)
        ]


def hold(to: Chance) -> HoldStock:
    lines = [HoldLine(sku=sku, quantity=to.by.randint(1, 3)) for sku in to.skus(6)]
    return HoldStock(
        order_id=to.order(),
        lines=lines,
        expires_in_s=to.by.choice((1, 2, 600)),
        partial=to.by.random() < 0.2,
        allocation=to.by.choice((None, "priority", "most_stock", "fewest_splits")),
    )


def adjust(to: Chance) -> Ask:
    gone = to.by.random() < 0.3
    delta = -to.by.randint(1, 5) if gone else to.by.randint(1, 30)
    body = {"delta": delta, "reason": "damaged" if gone else "received"}
    return Ask(f"/v1/stock/{to.sku()}/{to.location()}/adjustments", body)


def recount(to: Chance) -> Ask:
    return Ask(f"/v1/stock/{to.sku()}/{to.location()}", {"on_hand": to.by.randint(0, 120)}, "PUT")


def level_policy(to: Chance) -> Ask:
    body = {
        "safety_stock": to.by.randint(0, 5),
        "backorder_limit": to.by.choice((0, 0, 10)),
        "low_at": to.by.choice((None, 3, 20)),
    }
    return Ask(f"/v1/stock/{to.sku()}/{to.location()}/policy", body, "PUT")


def item_policy(to: Chance) -> Ask:
    return Ask(f"/v1/items/{to.sku()}", {"tracked": to.by.random() < 0.95, "low_at": to.by.randint(0, 40)}, "PUT")


def allocation(to: Chance) -> Ask:
    return Ask("/v1/inventory-policy", {"allocation": to.by.choice(("priority", "most_stock", "fewest_splits"))}, "PUT")


def transfer(to: Chance) -> Ask:
    origin, destination = to.by.sample((*LOCATIONS, None), 2)
    if destination is None:
        origin, destination = destination, origin
    lines = [{"sku": sku, "quantity": to.by.randint(1, 8)} for sku in to.skus(6)]
    return Ask("/v1/transfers", {"origin": origin, "destination": destination, "lines": lines})


def arrival(to: Chance) -> Ask:
    """Of all that is open, or of some lines, which may not be open, or not be part of it."""
    lines = [{"sku": sku, "quantity": 1, "lost": to.by.randint(0, 1)} for sku in to.skus(3)]
    return Ask(f"/v1/transfers/{to.transfer()}/arrivals", {} if to.by.random() < 0.4 else {"lines": lines})


def sheet(to: Chance) -> Ask:
    """Levels in any order, some twice, counted or corrected."""
    rows = [
        f"{sku},{to.location()},{to.by.randint(0, 90)},"
        if to.by.random() < 0.3
        else f"{sku},{to.location()},,{to.by.randint(-3, 9) or 1}"
        for sku in to.skus(25)
    ]
    body = "\n".join(["sku,location,on_hand,delta,reason", *(f"{row},correction" for row in rows)])
    return Ask("/v1/admin/stock-import", body, media_type="text/csv")


def patch(to: Chance) -> Ask:
    location = to.location()
    body = {"priority": to.by.randint(1, 9)}
    return Ask(f"/v1/locations/{location}", body, "PATCH", "application/merge-patch+json", to.versions[location])


def closure(to: Chance) -> Ask:
    return Ask(f"/v1/locations/{to.by.choice(CLOSING)}/closure", {"move_to": to.by.choice(("LON", "LEEDS"))})


def expiry(to: Chance) -> Ask:
    return Ask(f"/v1/holds/{to.order()}/expiry", {"expires_in_s": to.by.choice((0, 90))}, "PUT")


def reconciliation(to: Chance) -> Ask:
    """With its clients' right to mend: there must never be anything to mend."""
    return Ask("/v1/admin/stock-reconciliation", {"mend": to.by.choice(("none", "counters", "ledger"))})


Act = Callable[[Chance], Event | Ask | None]

OPERATIONS: tuple[tuple[str, int, Act], ...] = (
    # function, how often, what it is asked; None is a timer's tick
    ("hold_stock", 30, hold),
    ("commit_hold", 14, lambda to: CommitHold(order_id=to.order())),
    ("release_hold", 8, lambda to: ReleaseHold(order_id=to.order())),
    ("release_hold_part", 6, lambda to: ReleasePart(order_id=to.order(), part_id=new_id(), lines=to.part())),
    ("ship_hold", 12, lambda to: ShipHold(
        order_id=to.order(), part_id=new_id(), lines=to.part() if to.by.random() < 0.5 else None)),
    ("extend_hold", 3, lambda to: ExtendHold(order_id=to.order(), expires_in_s=60)),
    ("expire_holds", 2, lambda _: None),
    ("adjust_stock", 14, adjust),
    ("set_stock_level", 4, recount),
    ("set_level_policy", 3, level_policy),
    ("set_item_policy", 2, item_policy),
    ("set_allocation_policy", 1, allocation),
    ("set_hold_expiry", 2, expiry),
    ("create_transfer", 5, transfer),
    ("receive_transfer", 5, arrival),
    ("cancel_transfer", 1, lambda to: Ask(f"/v1/transfers/{to.transfer()}/cancellation", {})),
    ("import_stock", 2, sheet),
    ("update_location", 1, patch),
    ("close_location", 1, closure),
    ("open_location", 2, lambda to: Ask(f"/v1/locations/{to.by.choice(CLOSING)}/opening", {})),
    ("reconcile_stock", 1, reconciliation),
)  # fmt: skip


@dataclass(slots=True)
class Told:
    """What one process has done: answers by function and status, and what a reconciliation found."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    differences: list[Any] = field(default_factory=list)
    elapsed_s: float = 0.0


class Worker:
    def __init__(self, runtime: Runtime, token: str, seed: int, skus: int, tasks: int) -> None:
        self._endpoints: dict[str, Endpoint[Any]] = {name: endpoint(load(name), runtime) for name, _, _ in OPERATIONS}
        self._admin = f"Bearer {token}"
        self._to = Chance(seed, skus)
        self._tasks = tasks
        self._sent: deque[tuple[str, dict[str, str], bytes]] = deque(maxlen=200)
        self.told = Told()

    async def work(self, transactions: int) -> None:
        left = iter(range(transactions))

        async def task() -> None:
            for self._to.done in left:
                await self._one()

        await asyncio.gather(*(task() for _ in range(self._tasks)))

    async def _one(self) -> None:
        by = self._to.by
        if self._sent and by.random() < 0.05:  # again, though done long ago
            await self._call(*by.choice(self._sent))
            return
        ((name, _, act),) = by.choices(OPERATIONS, weights=[weight for _, weight, _ in OPERATIONS])
        asked = act(self._to)
        if isinstance(asked, Event):
            call = (name, *delivered(asked))
            self._sent.append(call)
            # a partition that changes hands: the event is delivered twice at once
            await asyncio.gather(*(self._call(*call) for _ in range(2 if by.random() < 0.05 else 1)))
        elif asked is None:
            await self._call(name, {}, b"")
        else:
            await self._ask(name, asked)

    async def _ask(self, name: str, asked: Ask) -> None:
        headers = {"authorization": self._admin, "content-type": asked.media_type, "idempotency-key": str(new_id())}
        if asked.version is not None:
            headers["if-match"] = f'"{asked.version}"'
        body = asked.body.encode() if isinstance(asked.body, str) else orjson.dumps(asked.body)
        answer = await self._call(name, headers, body, asked.method, asked.path)
        said = orjson.loads(answer.body) if answer.body else {}
        if name == "create_transfer" and answer.status == 201:
            self._to.transfers.append(said["id"])
        elif name == "update_location":
            location = asked.path.rpartition("/")[2]
            self._to.versions[location] = said["version"] if answer.status == 200 else self._to.versions[location] + 1
        elif name == "reconcile_stock" and said.get("differences"):
            self.told.differences.append(said["differences"])

    async def _call(
        self, name: str, headers: dict[str, str], body: bytes, method: str = "POST", path: str = "/"
    ) -> Answer:
        """The first answer that is not to come again later."""
        while True:
            answer = await self._endpoints[name].handle(method, path, b"", dict(headers), body)
            self.told.answers[name, answer.status] += 1
            if answer.status != 503:
                return answer
            await asyncio.sleep(0.05)


async def _worked(settings: Settings, token: str, seed: int, skus: int, transactions: int, tasks: int) -> Told:
    runtime = Runtime.start(settings)
    worker, began = Worker(runtime, token, seed, skus, tasks), time.perf_counter()
    await worker.work(transactions)
    worker.told.elapsed_s = time.perf_counter() - began
    await runtime.stop()
    return worker.told


def _process(told: "Queue[Told]", *arguments: Any) -> None:
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)  # the functions' log
    told.put(uvloop.run(_worked(*arguments)))


@dataclass(slots=True)
class Report:
    """`broken` are rows that the books' checks found, while it ran and at the end."""

    answers: Counter[tuple[str, int]]
    broken: list[tuple[str, Any]]
    deadlocks: int
    parked: int
    checks: int
    elapsed_s: float

    def lines(self) -> list[str]:
        names = sorted({name for name, _ in self.answers})
        statuses = sorted({status for _, status in self.answers})
        table = [f"{'function':<24}" + "".join(f"{status:>10}" for status in statuses)]
        table += [
            f"{name:<24}" + "".join(f"{self.answers[name, status] or '':>10}" for status in statuses) for name in names
        ]
        total = sum(self.answers.values())
        return [
            *table,
            f"{total:,} transactions in {self.elapsed_s:,.0f} s, {total / self.elapsed_s:,.0f}/s",
            f"deadlocks {self.deadlocks}, parked {self.parked}, broken books {len(self.broken)} in {self.checks} looks",
        ]


def _look(books: psycopg.Connection) -> list[tuple[str, Any]]:
    sql = {check.name: check.sql for check in CHECKS}
    return [(name, row) for name in BOOKS for row in books.execute(sql[name].encode()).fetchall()]


def _events(books: psycopg.Connection) -> int:
    row = books.execute("select count(*) from platform.inbox").fetchone()
    assert row is not None
    return int(row[0])


def run(
    database: Cloned,
    transactions: int,
    processes: int,
    tasks: int,
    skus: int,
    seed: int,
    look_every_s: float,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Returns when all have been done; the books are looked at meanwhile."""
    with TemporaryDirectory() as directory, psycopg.connect(database.owner_url, autocommit=True) as books:
        for location in LOCATIONS:
            books.execute(
                "insert into inventory.locations (id, name, created_at) values (%s, %s, now())", [location] * 2
            )
        issuer = Issuer()
        token = issuer.sign({**issuer.claims("ann", "admin", "operator"), "exp": int(time.time()) + 7 * 86_400})
        settings = Settings(
            database_url=database.app_url,
            db_pool=tasks,
            jwks_url=issuer.publish(Path(directory) / "jwks.json"),
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
            rate_limit_scale=1000.0,
        )
        spawn = multiprocessing.get_context("spawn")
        told: Queue[Told] = spawn.Queue()
        began, share = time.perf_counter(), transactions // processes
        crew = [
            spawn.Process(target=_process, args=(told, settings, token, seed * 1000 + number, skus, share, tasks))
            for number in range(processes)
        ]
        for process in crew:
            process.start()
        broken, looks = [], 0
        while any(process.is_alive() for process in crew) and told.qsize() < processes:
            crew[0].join(look_every_s if told.qsize() == 0 else 0.2)
            broken += _look(books)
            looks += 1
            elapsed_s = time.perf_counter() - began
            say(f"{_events(books):,} events taken after {elapsed_s:,.0f} s, broken books {len(broken)}")
        shifts = [told.get(timeout=60) for _ in crew]
        elapsed_s = time.perf_counter() - began
        for process in crew:
            process.join()
        broken += _look(books)
        broken += [("reconciliation", found) for one in shifts for found in one.differences]
        row = books.execute("""select (select deadlocks from pg_stat_database where datname = current_database()),
          (select count(*) from platform.dead_letters)""").fetchone()
        assert row is not None
        answers = sum((one.answers for one in shifts), start=Counter[tuple[str, int]]())
        return Report(answers, broken, row[0], row[1], looks + 1, elapsed_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("transactions", type=int)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--tasks", type=int, default=8, help="at a time, in each process")
    parser.add_argument("--skus", type=int, default=24, help="how many, at four locations; few meet more often")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    say = partial(print, flush=True)
    os.environ["LOG_LEVEL"] = "critical"
    with test_server("locks") as server:
        database = server.create_database_from_template()
        try:
            report = run(
                database, options.transactions, options.processes, options.tasks, options.skus, options.seed, 60.0, say
            )
        finally:
            server.drop_database(database)
    print("\n".join(report.lines()))
    for name, row in report.broken[:20]:
        print("broken:", name, row)
    if report.broken or report.deadlocks or report.parked:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
