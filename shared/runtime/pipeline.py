"""Statements held back until a result is asked for, then sent in one write and answered in one read.

The driver's own pipeline mode writes once per statement, which wakes Postgres once per statement too. Its inner parts
are used here and nowhere else; see the decision record on the database driver.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import PQGen
from psycopg.generators import send
from psycopg.rows import namedtuple_row

Row = Any
"""A row, its columns as attributes."""


class Pending(AsyncCursor[Row]):
    """A statement that was enqueued; asking for its result sends all that were enqueued before."""

    def __init__(self, pipeline: "Pipeline") -> None:
        super().__init__(pipeline.connection, row_factory=namedtuple_row)
        self._exchange_of = pipeline

    def enqueue(self, sql: str, parameters: Mapping[str, Any]) -> None:
        # These are generators for connections that are not in pipeline mode: here they never yield.
        deque(self._start_query(sql), maxlen=0)
        deque(self._maybe_prepare_gen(self._convert_query(sql, parameters)), maxlen=0)

    async def all(self) -> list[Row]:
        await self._answered()
        return await self.fetchall()

    async def one(self) -> Row | None:
        await self._answered()
        return await self.fetchone()

    async def value(self) -> Any:
        """The first column of the first row, or None."""
        row = await self.one()
        return None if row is None else row[0]

    async def count(self) -> int:
        """How many rows were touched."""
        await self._answered()
        return self.rowcount

    async def _answered(self) -> None:
        if self.pgresult is None:
            await self._exchange_of.exchange()


class Pipeline:
    """One connection in pipeline mode. With `sync_always` each exchange is a transaction of its own."""

    __slots__ = ("_failed", "connection", "sync_always", "waiting")

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self.connection = connection
        self.sync_always = False
        self.waiting = False
        self._failed = False

    def enqueue(self, sql: str, parameters: Mapping[str, Any]) -> Pending:
        pending = Pending(self)
        pending.enqueue(sql, parameters)
        self.waiting = True
        return pending

    def command(self, sql: bytes) -> None:
        """Enqueues what has no parameters and no result but that it went well."""
        deque(self.connection._exec_command(sql), maxlen=0)
        self.waiting = True

    async def exchange(self, *, sync: bool = False) -> None:
        """Sends what is enqueued and takes all answers. Raises the first error among them."""
        self.waiting = False
        async with self.connection.lock:
            try:
                await self.connection.wait(self._exchange(sync=sync or self.sync_always))
            except BaseException:
                self._failed = True
                raise

    def forget_prepared(self) -> None:
        """Prepares statements anew after a failure: of those that were sent behind it, the server never heard.

        The driver, which counts a statement as prepared once it is sent, does not find that out.
        """
        if self._failed:
            self.connection._prepared.clear()
            self._failed = False

    def _exchange(self, *, sync: bool) -> PQGen[None]:
        pipeline, server = self.connection._pipeline, self.connection.pgconn
        assert pipeline is not None
        yield from self.connection._prepared.maintain_gen(self.connection)
        if sync:
            pipeline._enqueue_sync()
        while pipeline.command_queue:
            pipeline.command_queue.popleft()()
        if not sync:
            server.send_flush_request()
        yield from send(server)
        yield from pipeline._fetch_gen(flush=False)
