"""Events as raise_alerts is given them, and the runs of send_alerts with their time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from functions.inventory.raise_alerts import raise_alerts
from functions.inventory.send_alerts import send_alerts
from shared.inventory.alert_targets import Channel
from shared.inventory.events import (
    LevelDepleted,
    LevelLow,
    LevelReplenished,
    StockDepleted,
    StockLow,
    StockReplenished,
    StockShortfall,
)
from shared.runtime import Event
from shared.runtime.answers import Answer
from tests.conftest import NOW, Books, Run, delivered

AT: dict[str, Any] = {"sku": "MUG", "low_at": 5}


def low(available: int = 3) -> StockLow:
    return StockLow(**AT, status="low", was="in_stock", available=available)


def out(sku: str = "MUG") -> StockDepleted:
    return StockDepleted(sku=sku, low_at=5, status="out_of_stock", was="low", available=0)


def some() -> StockReplenished:
    """More than nothing, and still low."""
    return StockReplenished(**AT, status="low", was="out_of_stock", available=2)


def enough() -> StockReplenished:
    return StockReplenished(**AT, status="in_stock", was="low", available=20)


def low_at(location: str) -> LevelLow:
    return LevelLow(**AT, location=location, status="low", was="in_stock", available=3)


def out_at(location: str) -> LevelDepleted:
    return LevelDepleted(**AT, location=location, status="out_of_stock", was="low", available=0)


def enough_at(location: str) -> LevelReplenished:
    return LevelReplenished(**AT, location=location, status="in_stock", was="low", available=20)


def short(units: int, location: str = "LON") -> StockShortfall:
    return StockShortfall(sku="MUG", location=location, shortfall=units)


Hear = Callable[..., Awaitable[Answer]]


def hearer(endpoint_of: Callable[[Callable[..., Any]], Any]) -> Hear:
    """Delivers events as those of their stream, numbered from 1 unless `sequence` says otherwise."""
    numbers = iter(range(1, 10_000))

    async def hear(event: Event, *, sequence: int | None = None, id: str | None = None) -> Answer:
        headers, body = delivered(event, id=id)
        headers["ce-sequence"] = str(next(numbers) if sequence is None else sequence)
        answer: Answer = await endpoint_of(raise_alerts).handle("POST", "/", b"", headers, body)
        assert answer.status == 204, answer.body
        return answer

    return hear


@dataclass
class Sender:
    """Runs send_alerts, each time at the moment that the next delivery is due, or `after` the last run."""

    run: Run
    db: Books
    now: datetime = NOW

    async def __call__(self, *, after: timedelta = timedelta()) -> None:
        self.now += after
        await self.run(send_alerts, now=self.now)

    async def at_next(self) -> timedelta:
        """Gives how long there was to wait."""
        due = await self.db.value("select min(next_at) from inventory.alert_deliveries where status = 'pending'")
        waited = due - self.now
        await self(after=waited)
        return waited  # type: ignore[no-any-return]


async def add_target(db: Books, address: str, *kinds: str, channel: Channel = "webhook", enabled: bool = True) -> Any:
    """Written as the shop writes it, also where it would be refused: tests' receivers have no public addresses."""
    every = ["back_in_stock", "low", "made_good", "out", "shortfall"]
    target = await db.value(
        """insert into inventory.alert_targets
             (id, channel, name, address, kinds, enabled, version, created_at, updated_at)
           values (gen_random_uuid(), %(channel)s, 'test', %(address)s, %(kinds)s, %(enabled)s, 1, %(now)s, %(now)s)
           returning id""",
        channel=channel, address=address, kinds=list(kinds) or every, enabled=enabled, now=NOW,
    )  # fmt: skip
    if channel == "webhook":
        await db.run(
            "insert into inventory.alert_secrets (target, secret, made_at) values (%(target)s, %(secret)s, %(now)s)",
            target=target, secret=SECRET, now=NOW,
        )  # fmt: skip
    return target


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
