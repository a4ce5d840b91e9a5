"""Sends the timers' ticks, as PingSource would: at most once, never caught up."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim
from psycopg import AsyncConnection
from psycopg import Error as DatabaseError

from infra.dispatcher.delivery import Deliver
from shared.runtime.declare import Declaration, Timer
from shared.runtime.ids import new_id
from shared.runtime.log import logger

LOCK = 0x5E1C
WATCH_S = 1.0


@dataclass(frozen=True, slots=True)
class Schedule:
    service: str
    cron: str


def schedules(declarations: Iterable[Declaration]) -> list[Schedule]:
    return [
        Schedule(declaration.service, declaration.trigger.schedule)
        for declaration in declarations
        if isinstance(declaration.trigger, Timer)
    ]


class Timers:
    """Only the process that holds the lock ticks; the lock goes with its connection."""

    def __init__(self, url: str, deliver: Deliver, timers: Iterable[Schedule]) -> None:
        self._url = url
        self._deliver = deliver
        self._timers = list(timers)

    async def run(self) -> None:
        """Until cancelled; outlives any outage of the database."""
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._url, autocommit=True, application_name="timers", connect_timeout=5
                ) as connection:
                    await self._lead(connection)
            except (DatabaseError, OSError) as error:
                logger().warning("timers_interrupted", error=type(error).__name__)
            await asyncio.sleep(WATCH_S)

    async def _lead(self, connection: AsyncConnection[tuple[object, ...]]) -> None:
        cursor = await connection.execute("select pg_try_advisory_lock(%s, 0)", (LOCK,))
        if not (await cursor.fetchone() or (False,))[0]:
            return
        async with asyncio.TaskGroup() as ticking:
            tasks = [ticking.create_task(self._tick(timer)) for timer in self._timers]
            try:
                while True:
                    await asyncio.sleep(WATCH_S)
                    await connection.execute("")  # notices that the lock is lost
            except (DatabaseError, OSError) as error:
                logger().warning("timers_interrupted", error=type(error).__name__)
                for task in tasks:
                    task.cancel()

    async def _tick(self, timer: Schedule) -> None:
        times = CronSim(timer.cron, datetime.now(UTC))
        for due in times:
            late_s = (datetime.now(UTC) - due).total_seconds()
            if late_s > 0:  # the run before took longer than the interval
                continue
            await asyncio.sleep(-late_s)
            headers = {
                "ce-specversion": "1.0",
                "ce-id": str(new_id()),
                "ce-source": f"/apis/v1/namespaces/shop/pingsources/{timer.service}",
                "ce-type": "dev.knative.sources.ping",
                "ce-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "content-type": "application/json",
            }
            status, _ = await self._deliver(timer.service, headers, b"{}")
            if not 200 <= status < 300:
                logger().warning("tick_refused", timer=timer.service, status=status)
