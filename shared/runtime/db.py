"""Postgres as functions see it: SQLAlchemy Core statements, compiled once, run on a few psycopg connections in pipeline mode.

Statements of one function go to the server without waiting for each other's answers until a result is asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
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


class Db:
    """The statements of one transaction. Values are bound by name; results are rows with attributes."""

    __slots__ = ("_connection",)

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def _execute(self, statement: Executable, parameters: dict[str, Any]) -> AsyncCursor[Row]:
        known = compiled(statement)
        cursor = self._connection.cursor(row_factory=namedtuple_row)
        return await cursor.execute(known.sql, known.bound(parameters))

    async def all(self, statement: Executable, /, **values: Any) -> list[Row]:
        return await (await self._execute(statement, values)).fetchall()

    async def one(self, statement: Executable, /, **values: Any) -> Row | None:
        return await (await self._execute(statement, values)).fetchone()

    async def value(self, statement: Executable, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = await self.one(statement, **values)
        return None if row is None else row[0]

    async def send(self, statement: Executable, /, **values: Any) -> None:
        """Sends without waiting; an error shows at the next awaited result, or at commit."""
        await self._execute(statement, values)

    async def run(self, statement: Executable, /, **values: Any) -> int:
        """Runs and gives the number of rows touched."""
        cursor = await self._execute(statement, values)
        await cursor._fetch_pipeline()  # the driver has no public way to await a result without rows
        return cursor.rowcount


class Database:
    """A few held connections of one process, each kept in pipeline mode; opened when first needed.

    Connections belong to the event loop that opened them: make one Database per process, after any fork.
    """

    def __init__(self, url: str, size: int, *, prepare: bool = True, application: str = "kn-shop") -> None:
        self._url = url
        self._prepare_threshold = 2 if prepare else None
        self._application = application
        self._free: list[tuple[AsyncConnection[Any], AsyncPipeline]] = []
        self._places = asyncio.Semaphore(size)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection with BEGIN sent. Commits at the end; rolls back when the body raises.

        Raises one of TRANSIENT when there is no connection to be had.
        """
        async with asyncio.timeout(3):
            await self._places.acquire()
        connection: AsyncConnection[Any] | None = None
        try:
            connection, pipeline = self._free.pop() if self._free else await self._connect()
            try:
                await connection.execute("BEGIN")
                yield connection
                await self._commit(connection, pipeline)
            except BaseException:
                await self._abandon(connection, pipeline)
                connection = None
                raise
            self._free.append((connection, pipeline))
        finally:
            self._places.release()

    async def _connect(self) -> tuple[AsyncConnection[Any], AsyncPipeline]:
        connection = await AsyncConnection.connect(
            self._url,
            autocommit=True,
            prepare_threshold=self._prepare_threshold,
            connect_timeout=3,
            application_name=self._application,
        )
        pipeline = connection.pipeline()
        await pipeline.__aenter__()
        return connection, pipeline

    async def _commit(self, connection: AsyncConnection[Any], pipeline: AsyncPipeline) -> None:
        cursor = await connection.execute("COMMIT")
        await pipeline.sync()
        if cursor.statusmessage != "COMMIT":  # a failed statement was swallowed: Postgres answers ROLLBACK to COMMIT
            raise psycopg.errors.InFailedSqlTransaction("the transaction had failed before its commit")

    async def _abandon(self, connection: AsyncConnection[Any], pipeline: AsyncPipeline) -> None:
        """Rolls back and keeps the connection if it still works, else drops it. Shielded from cancellation."""

        async def roll_back() -> None:
            try:
                with suppress(psycopg.Error):
                    await pipeline.sync()
                await connection.execute("ROLLBACK")
                await pipeline.sync()
                self._free.append((connection, pipeline))
            except Exception:  # whatever is wrong with it, it is not used again
                await connection.close()

        if connection.closed or connection.broken:
            with suppress(Exception):
                await connection.close()
            return
        await asyncio.shield(roll_back())

    async def close(self) -> None:
        while self._free:
            connection, _ = self._free.pop()
            with suppress(Exception):
                await connection.close()

