"""Postgres as functions see it: SQLAlchemy Core statements, compiled once, run on a few psycopg connections in pipeline mode.

Statements of one function go to the server without waiting for each other's answers until a result is asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncPipeline
from psycopg.rows import namedtuple_row
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql import psycopg as dialects

Row = Any
"""A row, its columns as attributes."""

TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, OSError, asyncio.TimeoutError)
"""The database is away, overloaded or asked to give way: the same call may succeed later."""

WAIT_FOR_CONNECTION_S = 3.0

_dialect = dialects.PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]


class Statement:
    """SQL text with its fixed parameters, and what turns a Python value into one the driver takes."""

    __slots__ = ("fixed", "processors", "sql")

    def __init__(self, statement: Executable) -> None:
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

    def bound(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {**self.fixed, **self.processed(parameters)} if self.fixed or self.processors else parameters


_statements: WeakKeyDictionary[Executable, Statement] = WeakKeyDictionary()


def compiled(statement: Executable) -> Statement:
    known = _statements.get(statement)
    if known is None:
        known = _statements[statement] = Statement(statement)
    return known


class Pending:
    """The result of a statement that was sent; asking for it waits for it and for all that were sent before."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: AsyncCursor[Row]) -> None:
        self._cursor = cursor

    async def all(self) -> list[Row]:
        return await self._cursor.fetchall()

    async def one(self) -> Row | None:
        return await self._cursor.fetchone()

    async def value(self) -> Any:
        """The first column of the first row, or None."""
        row = await self.one()
        return None if row is None else row[0]

    async def count(self) -> int:
        """How many rows were touched."""
        await self._cursor._fetch_pipeline()  # the driver has no public way to await a result without rows
        return self._cursor.rowcount


class Db:
    """The statements of one transaction. Values are bound by name; results are rows with attributes."""

    __slots__ = ("_connection",)

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def send(self, statement: Executable, /, **values: Any) -> Pending:
        """Sends without waiting. An error shows at the next awaited result, or at commit."""
        known = compiled(statement)
        cursor = self._connection.cursor(row_factory=namedtuple_row)
        return Pending(await cursor.execute(known.sql, known.bound(values)))

    async def all(self, statement: Executable, /, **values: Any) -> list[Row]:
        return await (await self.send(statement, **values)).all()

    async def one(self, statement: Executable, /, **values: Any) -> Row | None:
        return await (await self.send(statement, **values)).one()

    async def value(self, statement: Executable, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return await (await self.send(statement, **values)).value()

    async def run(self, statement: Executable, /, **values: Any) -> int:
        """Runs and gives the number of rows touched."""
        return await (await self.send(statement, **values)).count()


@dataclass(frozen=True, slots=True)
class Held:
    """A connection that stays in pipeline mode until it is closed."""

    connection: AsyncConnection[Any]
    pipeline: AsyncPipeline
    exits: AsyncExitStack

    @classmethod
    async def open(cls, url: str, prepare_threshold: int | None, application: str) -> "Held":
        connection = await AsyncConnection.connect(
            url,
            autocommit=True,
            prepare_threshold=prepare_threshold,
            connect_timeout=3,
            application_name=application,
        )
        exits = AsyncExitStack()
        return cls(connection, await exits.enter_async_context(connection.pipeline()), exits)

    async def commit(self) -> None:
        cursor = await self.connection.execute("COMMIT")
        await self.pipeline.sync()
        if cursor.statusmessage != "COMMIT":  # Postgres answers ROLLBACK to the COMMIT of a failed transaction
            raise psycopg.errors.InFailedSqlTransaction("a statement had failed and its error was not heeded")

    async def roll_back(self) -> bool:
        """True when the connection can be used again; else it is closed."""
        try:
            with suppress(psycopg.Error):
                await self.pipeline.sync()
            await self.connection.execute("ROLLBACK")
            await self.pipeline.sync()
        except Exception:  # whatever is wrong with it, it is not used again
            await self.close()
            return False
        return True

    async def close(self) -> None:
        with suppress(Exception):
            await self.exits.aclose()
        with suppress(Exception):
            await self.connection.close()


class Database:
    """A few held connections of one process, opened when first needed.

    Connections belong to the event loop that opened them: make one Database per process, after any fork.
    """

    def __init__(self, url: str, size: int, *, prepare: bool = True, application: str = "kn-shop") -> None:
        self._open = partial(Held.open, url, 2 if prepare else None, application)
        self._free: list[Held] = []
        self._places = asyncio.Semaphore(size)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection with BEGIN sent. Commits at the end; rolls back when the body raises.

        Raises one of TRANSIENT when there is no connection to be had.
        """
        async with self._held() as held:
            await held.connection.execute("BEGIN")
            yield held.connection
            await held.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection for reads alone: what is sent is one implicit transaction, without BEGIN and COMMIT."""
        async with self._held() as held:
            yield held.connection
            await held.pipeline.sync()

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[Held]:
        if self._places.locked():
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
