"""What a run is decided by: one clock, and identifiers that come from the seed."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.runtime import ids

BEGIN = datetime(2020, 1, 1, 12, 0, tzinfo=UTC)
"""Long before any real day: what the database stamps with its own clock is never older than this one allows."""


class Clock:
    """It moves when it is told to, and never by itself."""

    def __init__(self) -> None:
        self.now = BEGIN

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def seconds(self) -> float:
        return self.now.timestamp()


class Identifiers:
    """UUIDs of version 7, whose random bits a seed gives; within a millisecond they come in any order."""

    def __init__(self, seed: object, clock: Clock) -> None:
        self._chance = random.Random(f"identifiers of {seed}")
        self._clock = clock

    def new_id(self) -> UUID:
        milliseconds = int(self._clock.seconds() * 1000)
        high, low = self._chance.getrandbits(12), self._chance.getrandbits(62)
        return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)

    def new_text(self) -> str:
        return f"{self._chance.getrandbits(96):024x}"

    @contextmanager
    def used_by_all(self) -> Iterator[None]:
        """Every transaction of this process takes its identifiers from here."""
        before = ids.new_id
        ids.new_id = self.new_id
        try:
            yield
        finally:
            ids.new_id = before
