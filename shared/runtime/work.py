"""One unit of work: a transaction under the function's own role, with the events it will leave behind.

The transaction holds the inbox row or idempotency key, the effect and the outbox rows, or nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.runtime import following, ids, metrics, outbox
from shared.runtime.auth import Caller
from shared.runtime.db import Database, Db
from shared.runtime.declare import Declaration
from shared.runtime.events import Envelope, Event
from shared.runtime.following import Stream
from shared.runtime.pipeline import Pending, Row

BEGIN = text("select set_config('role', :role, true) as role, transaction_timestamp() as now")


@dataclass(frozen=True, slots=True)
class Cause:
    """What led to this unit of work, carried into everything that it emits.

    Where that is an event, `sequence` is its place in its stream (topic, key) and `at` is when it was emitted.
    """

    correlation: str
    causation: str | None = None
    traceparent: str | None = None
    sequence: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """All that a function is given. The runtime commits, never the function."""

    db: Db
    caller: Caller
    cause: Cause
    declaration: Declaration
    clock: datetime | None
    new_id: Callable[[], UUID] = ids.new_id
    claimed: Row | None = None
    causes: dict[int, Cause] = field(default_factory=dict)
    emitted: list[Event] = field(default_factory=list)
    led_by: list[Cause] = field(default_factory=list)
    passed_on: dict[int, Envelope] = field(default_factory=dict)
    left: list[Pending] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """The database's clock, read with BEGIN; bind it into statements, so that tests can fix it."""
        if self.clock is None:
            raise NoClock(f"{self.declaration.name} only reads: let its statements use SQL's now()")
        return self.clock

    def emit(self, event: Event, *, because: object = None) -> None:
        """Leaves `event` to the outbox of this transaction. Raises UndeclaredEvent unless `emits=` names its type.

        `because` is, of several events that are handled together, the one that led to it; without it, it is the last.
        """
        if type(event) not in self.declaration.emits:
            raise UndeclaredEvent(f"{self.declaration.name} does not declare that it emits {event.type}")
        self.emitted.append(event)
        self.led_by.append(self.cause_of(because))

    def pass_on(self, event: Event, envelope: Envelope) -> None:
        """Emits what somebody else has said: consumers see the id, source, data and extensions of `envelope`."""
        self.passed_on[len(self.emitted)] = envelope
        self.emit(event)

    def cause_of(self, message: object) -> Cause:
        """What brought `message`, one of several events that are handled together."""
        return self.causes.get(id(message), self.cause)


class UndeclaredEvent(Exception):
    pass


class NoClock(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Fixed:
    """A clock and identifiers that a test has fixed."""

    now: datetime
    new_id: Callable[[], UUID]


Claim = Callable[[Db], Pending]
"""Sends what must come first in the transaction; its result is `Work.claimed`."""


@asynccontextmanager
async def unit_of_work(
    database: Database,
    declaration: Declaration,
    caller: Caller,
    cause: Cause,
    *,
    claim: Claim | None = None,
    fixed: Fixed | None = None,
) -> AsyncIterator[Work]:
    """Commits when the body ends, with what was emitted; leaves no trace when it raises."""
    async with database.transaction(declaration.role) as db:
        sent = db.enqueue(BEGIN, role=declaration.role)
        claimed = None if claim is None else claim(db)
        begun: Row = await sent.one()
        work = Work(
            db=db,
            caller=caller,
            cause=cause,
            declaration=declaration,
            clock=fixed.now if fixed else begun.now,
            new_id=fixed.new_id if fixed else ids.new_id,
            claimed=None if claimed is None else await claimed.one(),
        )
        yield work
        leave(work)
    for event in work.emitted:
        metrics.emitted(declaration.name, event.type).inc()
    metrics.statements(declaration.name).inc(db.statements)


def leave(work: Work) -> None:
    """Leaves what was emitted to the outbox, once. Its streams are locked from here on: this belongs to the end."""
    if work.emitted and not work.left:
        work.left.append(outbox.leave(work.db, work.declaration.source, work.emitted, work.led_by, work.passed_on))


def streams(work: Work) -> list[Stream]:
    """The streams of what was emitted, in the order in which each was first written to; as many as a token names."""
    return list(dict.fromkeys((event.topic, event.key) for event in work.emitted))[: following.STREAMS_NAMED]


async def sequence_token(work: Work) -> dict[str, str]:
    """The header that names what a committed unit has left, if it left anything."""
    if not work.left:
        return {}
    last = {(row.topic, row.key): row.sequence for row in await work.left[0].all()}
    return {following.HEADER: following.token((stream, last[stream]) for stream in streams(work))}


@asynccontextmanager
async def unit_of_reading(
    database: Database, declaration: Declaration, caller: Caller, cause: Cause
) -> AsyncIterator[Work]:
    """For a function that writes and emits nothing: fewer round trips, and no clock but SQL's own now()."""
    async with database.reading(declaration.role) as db:
        yield Work(db=db, caller=caller, cause=cause, declaration=declaration, clock=None)
    metrics.statements(declaration.name).inc(db.statements)
