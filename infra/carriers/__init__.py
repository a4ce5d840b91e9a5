"""What carries events from the outbox to the functions: the database's own log on one machine, Kafka on a cluster.

The relay knows an Outlet, the dispatcher a Source; records are numbered by (topic, partition, offset) on both carriers.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from psycopg import Connection

from shared.runtime.events import Envelope

PUBLISHING_S = 5.0  # one publishing transaction lasts no longer


class CarrierError(Exception):
    """The carrier cannot be reached or refused; whoever asked tries again later."""


class Record(NamedTuple):
    """One event at its place in the log."""

    topic: str
    partition: int
    offset: int
    key: str | None
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Consumer:
    """An event function as the carriers see it: its name and the topics it reads."""

    name: str
    topics: tuple[str, ...]


class Lane(NamedTuple):
    """One partition of one topic as one consumer reads it: the unit of order."""

    consumer: str
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Batch:
    """News for some lanes. A revoked lane belongs to another dispatcher from now on."""

    records: Sequence[tuple[Lane, Record]]
    revoked: Sequence[Lane] = ()


class Outlet(Protocol):
    """The relay's side."""

    def attach(self, connection: Connection[Any]) -> None:
        """Readies a fresh connection for `drain`."""

    def drain(self, connection: Connection[Any]) -> tuple[int, bool]:
        """Publishes waiting rows of every shard that no other relay holds, each shard in order.

        Returns how many were published, and whether more may wait. Raises CarrierError, with what was acknowledged by
        then marked.
        """

    def close(self) -> None: ...


class Session(Protocol):
    """One spell of reading, from the committed offsets on. It ends with an exception when the carrier is lost."""

    def batches(self) -> AsyncIterator[Batch]: ...

    async def rewind(self, lane: Lane, offset: int) -> None:
        """Gives the lane's records again from `offset` on."""

    async def commit(self, offsets: dict[Lane, int]) -> None:
        """Remembers the next offset of each lane."""

    async def bury(self, topic: str, key: str, letter: Envelope) -> None:
        """Appends a dead letter durably before it returns."""


class Source(Protocol):
    """The dispatcher's side."""

    def session(self, consumers: Sequence[Consumer]) -> AbstractAsyncContextManager[Session]: ...
