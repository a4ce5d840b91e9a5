"""Postgres as functions see it: SQLAlchemy Core statements, compiled once, run on a few psycopg connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql import psycopg as dialects

from shared.runtime import metrics
from shared.runtime.pipeline import Pending, Pipeline, Row

TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, OSError, asyncio.TimeoutError)
"""The database is away, overloaded or asked to give way: the same call may succeed later."""

OVERTAKEN = (psycopg.errors.UniqueViolation, psycopg.errors.ForeignKeyViolation)
"""While a function wrote, another transaction took the name that it chose, or removed what it refers to."""


ASKED_FOR_TOO_MUCH = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
"""Those of TRANSIENT that say something of the transaction, and nothing of the server."""

WAIT_FOR_CONNECTION_S = 3.0
PREPARED = 1000

_dialect = dialects.PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]


class Statement:
    """SQL text with its fixed parameters, and what turns a Python value into one the driver takes."""

    __slots__ = ("_tagged", "fixed", "planned_anew", "processors", "sql")

    def __init__(self, statement: Executable) -> None:
        self._tagged: dict[str, str] = {}
        self.planned_anew = statement.get_execution_options().get("planned") == "anew"
        compiled = statement.compile(dialect=_dialect)  # type: ignore[attr-defined]
        self.sql = str(compiled)
        self.fixed: dict[str, Any] = {name: value for name, value in compiled.params.items() if value is not None}
        self.processors: dict[str, Callable[[Any], Any]] = {
            name: processor
            for name, bind in compiled.binds.items()
            if (processor := bind.type.dialect_impl(_dialect).bind_processor(_dialect)) is not None
        }
        self.fixed = self.processed(self.fixed)

    def processed(self, parameters: dict[str, Any]) -> dict[str, Any]:
        for name in self.processors.keys() & parameters.keys():
            parameters[name] = self.processors[name](parameters[name])
        return parameters

    def tagged(self, role: str) -> str:
        """The text as `role` sends it: the server shows who asks, and keeps a plan for each role.

        A plan that row-level security is part of would be made anew whenever the role of the connection changes.
        """
        text = self._tagged.get(role)
        if text is None:
            text = self._tagged[role] = f"/* {role} */ {self.sql}"
        return text

    def bound(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {**self.fixed, **self.processed(parameters)} if self.fixed or self.processors else parameters


_statements: WeakKeyDictionary[Executable, Statement] = WeakKeyDictionary()


def compiled(statement: Executable) -> Statement:
    known = _statements.get(statement)
    if known is None:
        known = _statements[statement] = Statement(statement)
    return known


PLAN_ANEW = "select set_config('plan_cache_mode', 'force_custom_plan', true)"
"""For statements with the execution option `planned="anew"`: the best plan depends on the values."""

ROLE = "select set_config('role', %(role)s, true)"


class Db:
    """The statements of one transaction. Values are bound by name; results are rows with attributes.

    Where the pipeline makes each round trip a transaction of its own, each begins with taking on the role.
    """

    __slots__ = ("_pipeline", "role", "statements")

    def __init__(self, pipeline: Pipeline, role: str) -> None:
        self._pipeline = pipeline
        self.role = role
        self.statements = 0

    def enqueue(self, statement: Executable, /, **values: Any) -> Pending:
        """Sends with the next result that is asked for, or at commit; an error shows there."""
        if self._pipeline.sync_always and not self._pipeline.waiting:
            self._pipeline.enqueue(ROLE, {"role": self.role})
        self.statements += 1
        known = compiled(statement)
        if known.planned_anew:
            self._pipeline.enqueue(PLAN_ANEW, {})
        return self._pipeline.enqueue(known.tagged(self.role), known.bound(values))

    async def all(self, statement: Executable, /, **values: Any) -> list[Row]:
        return await self.enqueue(statement, **values).all()

    async def one(self, statement: Executable, /, **values: Any) -> Row | None:
        return await self.enqueue(statement, **values).one()

    async def value(self, statement: Executable, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return await self.enqueue(statement, **values).value()

    async def send(self, statement: Executable, /, **values: Any) -> None:
        """Runs with the next statement whose result is asked for, or at commit; an error shows there."""
        self.enqueue(statement, **values)

    async def run(self, statement: Executable, /, **values: Any) -> int:
        """Runs and gives the number of rows touched."""
        return await self.enqueue(statement, **values).count()


class Held:
    """A connection that stays in pipeline mode until it is closed."""

    __slots__ = ("_exits", "pipeline")

    def __init__(self, connection: AsyncConnection[Any], exits: AsyncExitStack) -> None:
        self.pipeline = Pipeline(connection)
        self._exits = exits

    @classmethod
    async def open(cls, url: str, prepare_threshold: int | None, application: str) -> "Held":
        connection = await AsyncConnection.connect(
            url,
            autocommit=True,
            prepare_threshold=prepare_threshold,
            connect_timeout=3,
            application_name=application,
        )
        connection.prepared_max = PREPARED
        exits = AsyncExitStack()
        await exits.enter_async_context(connection.pipeline())
        return cls(connection, exits)

    async def commit(self) -> None:
        committed = self.pipeline.enqueue("COMMIT", {})
        await self.pipeline.exchange(sync=True)
        if committed.statusmessage != "COMMIT":  # Postgres answers ROLLBACK to the COMMIT of a failed transaction
            raise psycopg.errors.InFailedSqlTransaction("a statement had failed and its error was not heeded")

    async def roll_back(self) -> bool:
        """True when the connection can be used again; else it is closed."""
        try:
            with suppress(psycopg.Error):
                await self.pipeline.exchange(sync=True)
            self.pipeline.command(b"ROLLBACK")
            self.pipeline.forget_prepared()
            await self.pipeline.exchange(sync=True)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not used again
            await self.close()
            return False
        return True

    async def close(self) -> None:
        with suppress(Exception):
            await self._exits.aclose()
        with suppress(Exception):
            await self.pipeline.connection.close()


class Database:
    """A few held connections of one process, opened when first needed.

    Connections belong to the event loop that opened them: make one Database per process, after any fork.
    """

    def __init__(self, url: str, size: int, *, prepare: bool = True, application: str = "kn-shop") -> None:
        self._open = partial(Held.open, url, 2 if prepare else None, application)
        self._free: list[Held] = []
        self._places = asyncio.Semaphore(size)

    @asynccontextmanager
    async def transaction(self, role: str) -> AsyncIterator[Db]:
        """One transaction, in which the first statement must take on `role`. Rolls back when the body raises.

        Raises one of TRANSIENT when there is no connection to be had.
        """
        async with self._held() as held:
            held.pipeline.sync_always = False
            held.pipeline.command(b"BEGIN")
            yield Db(held.pipeline, role)
            await held.commit()

    @asynccontextmanager
    async def reading(self, role: str) -> AsyncIterator[Db]:
        """For reads alone, under `role`: each round trip is a transaction, without BEGIN and COMMIT."""
        async with self._held() as held:
            held.pipeline.sync_always = True
            yield Db(held.pipeline, role)
            if held.pipeline.waiting:
                await held.pipeline.exchange()

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[Held]:
        if self._places.locked():
            metrics.CONNECTION_WAITS.inc()
            async with asyncio.timeout(WAIT_FOR_CONNECTION_S):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            held = self._free.pop() if self._free else await self._open()
            try:
                yield held
            except BaseException:
                if await asyncio.shield(held.roll_back()):
                    self._free.append(held)
                raise
            self._free.append(held)
        finally:
            self._places.release()

    async def close(self) -> None:
        while self._free:
            await self._free.pop().close()
