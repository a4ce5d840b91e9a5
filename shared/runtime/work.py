"""One unit of work: a transaction under the function's own role, with the events it will leave behind.

The transaction holds the inbox row or idempotency key, the effect and the outbox rows, or nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.runtime import ids, metrics, outbox
from shared.runtime.auth import Caller
from shared.runtime.db import Database, Db
from shared.runtime.declare import Declaration
from shared.runtime.events import Event

BEGIN = text("select set_config('role', :role, true) as role, transaction_timestamp() as now")


@dataclass(frozen=True, slots=True)
class Cause:
    """What led to this unit of work, carried into everything that it emits."""

    correlation: str
    causation: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """All that a function is given. `now` is the database's clock, read with BEGIN; the runtime commits, never the function."""

    db: Db
    now: datetime
    caller: Caller
    cause: Cause
    declaration: Declaration
    new_id: Callable[[], UUID] = ids.new_id
    emitted: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        """Leaves `event` to the outbox of this transaction. Raises UndeclaredEvent unless `emits=` names its type."""
        if type(event) not in self.declaration.emits:
            raise UndeclaredEvent(f"{self.declaration.name} does not declare that it emits {event.type}")
        self.emitted.append(event)


class UndeclaredEvent(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Fixed:
    """A clock and identifiers that a test has fixed."""

    now: datetime
    new_id: Callable[[], UUID]


@asynccontextmanager
async def unit_of_work(
    database: Database, declaration: Declaration, caller: Caller, cause: Cause, fixed: Fixed | None = None
) -> AsyncIterator[Work]:
    """Commits when the body ends, with what was emitted; leaves no trace when it raises."""
    async with database.transaction() as connection:
        db = Db(connection)
        begun = await db.one(BEGIN, role=declaration.role)
        work = Work(
            db=db,
            now=fixed.now if fixed else begun.now,
            caller=caller,
            cause=cause,
            declaration=declaration,
            new_id=fixed.new_id if fixed else ids.new_id,
        )
        yield work
        if work.emitted:
            await outbox.leave(db, declaration.source, cause, work.emitted)
    for event in work.emitted:
        metrics.EMITTED.labels(declaration.name, event.type).inc()
