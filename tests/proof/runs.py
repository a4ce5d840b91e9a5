"""Runs of seeds on one database: each from the beginning, and the shortest way to break what a seed has broken."""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.rows import namedtuple_row

from infra.local.postgres import Cloned, SharedServer
from shared.runtime.auth import Verifier
from shared.runtime.db import Database
from shared.runtime.egress import Egress
from shared.runtime.serve import Runtime
from shared.runtime.settings import Settings
from tests.conftest import Books
from tests.functions.payments.webhooks import SECRET
from tests.issuer import AUDIENCE, ISSUER, Issuer
from tests.proof.bank import ADDRESS, Bank
from tests.proof.chance import BEGIN, Clock, Identifiers
from tests.proof.ground import Fragile, Ground
from tests.proof.simulation import Broken, Simulation
from tests.proof.steps import STEPS, open_shop

T = TypeVar("T")

LENGTHS = (60, 120, 120, 180, 240)


@dataclass(frozen=True, slots=True)
class Ran:
    """`broken` is what did not hold; `digest` stands for all that has happened."""

    seed: int
    steps: tuple[int, ...]
    digest: str
    broken: str | None
    orders: int
    lines: tuple[str, ...]


class Stage:
    """A database, an event loop and a token issuer for any number of runs."""

    def __init__(self, database: Cloned) -> None:
        self._runner = asyncio.Runner()
        self._clock = Clock()
        self._ground = Ground(database, self._clock)
        self._issuer = Issuer()
        self._keys = tempfile.TemporaryDirectory()
        self._settings = Settings(
            gather_s=0.0,
            database_url=database.app_url,
            jwks_url=self._issuer.publish(Path(self._keys.name) / "jwks.json"),
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
            provider_url=ADDRESS,
            provider_webhook_secret=SECRET,
            rate_limit_scale=0.0,
            jwks_lifetime_s=86_400,
        )
        self._database = Fragile(database.app_url, 2)
        self._orders_side = Database(database.owner_url, 1)
        self._books: psycopg.AsyncConnection[Any] = self._runner.run(
            psycopg.AsyncConnection.connect(database.owner_url, autocommit=True, row_factory=namedtuple_row)
        )

    def run(self, seed: int, steps: Sequence[int] | None = None, tell: Callable[[str], None] | None = None) -> Ran:
        """`steps` are those that are made of the seed's; else it is all of them."""
        return self._runner.run(self._run(seed, steps, tell))

    def _made(self, seed: object) -> tuple[Identifiers, Simulation]:
        """A shop at its beginning."""
        self._clock.now = BEGIN
        self._ground.renew()
        self._ground.tell_time()
        identifiers = Identifiers(seed, self._clock)
        bank = Bank(self._clock, identifiers)
        egress = Egress(self._settings)
        egress._session, egress._loop = bank, self._runner.get_loop()  # type: ignore[assignment]
        runtime = Runtime(self._settings, self._database, Verifier(self._settings), egress)
        self._database.spare()
        shop = Simulation(
            runtime,
            self._issuer,
            Books(self._books),
            self._ground,
            self._clock,
            bank,
            self._database,
            self._orders_side,
        )
        return identifiers, shop

    @contextmanager
    def shop(self, name: object) -> Iterator[tuple[Simulation, Callable[[Coroutine[Any, Any, T]], T]]]:
        """One that others lead, and what runs a coroutine for them."""
        self._runner.get_loop()
        identifiers, shop = self._made(name)
        with identifiers.used_by_all():
            yield shop, self._runner.run
        self._runner.run(shop.bank.close())

    async def _run(self, seed: int, chosen: Sequence[int] | None, tell: Callable[[str], None] | None) -> Ran:
        chance = random.Random(f"run {seed}")
        all_steps = range(chance.choice(LENGTHS))
        steps = tuple(all_steps if chosen is None else chosen)
        identifiers, shop = self._made(seed)
        shop.tell = tell
        broken = None
        with identifiers.used_by_all():
            try:
                await open_shop(shop, chance)
                for number in steps:
                    await _step(shop, seed, number)
                shop.note("rest")
                await shop.come_to_rest(random.Random(f"rest {seed}"))
                await shop.judge()
            except Broken as fault:
                broken = str(fault)
                shop.note(f"BROKEN: {broken}")
            finally:
                await shop.bank.close()
        return Ran(seed, steps, shop.digest(), broken, len(shop.orders), tuple(shop.said))

    def shortest(self, broken: Ran, within_s: float = 90.0) -> Ran:
        """Leaves out steps for as long as the run still breaks; first many at once, then fewer."""
        until = time.monotonic() + within_s
        best = broken
        size = max(1, len(best.steps) // 2)
        while time.monotonic() < until:
            for part in _without(best.steps, size):
                ran = self.run(best.seed, part)
                if ran.broken is not None:
                    best = ran
                    break
                if time.monotonic() > until:
                    break
            else:
                if size == 1:
                    break
                size = max(1, size // 2)
        return best

    def close(self) -> None:
        self._runner.run(self._books.close())
        self._runner.run(self._database.close())
        self._runner.run(self._orders_side.close())
        self._runner.close()
        self._ground.close()
        self._keys.cleanup()


async def _step(shop: Simulation, seed: int, number: int) -> None:
    chance = random.Random(f"{seed}/{number}")
    shop.advance(chance.random() * 2)
    (step,) = chance.choices([step for _, step in STEPS], weights=[weight for weight, _ in STEPS])
    shop.note(f"{number}: {step.__name__}")
    await step(shop, chance)
    await shop.hear()


def _without(steps: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    """The steps without each part of that size, the last ones first."""
    for begin in range((len(steps) - 1) // size * size, -1, -size):
        yield steps[:begin] + steps[begin + size :]


@contextmanager
def stage(server: SharedServer) -> Iterator[Stage]:
    database = server.create_database_from_template()
    made = Stage(database)
    try:
        yield made
    finally:
        made.close()
        server.drop_database(database)
