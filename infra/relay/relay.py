"""Publishes what waits in the outbox through an outlet, for as long as it is let.

Synchronous on purpose: it does one thing at a time, Kafka's client is synchronous too, and a blocking call costs least.
"""

from random import uniform
from threading import Event
from time import monotonic, sleep
from typing import Any

import psycopg
from prometheus_client import Counter, Gauge

from infra.carriers import CarrierError, Outlet
from infra.carriers.rows import LIVELY
from shared.runtime.log import logger

POLL_S = 1.0
GATHER_S = 0.003  # passes that would follow each other faster than this are put together
GATHER_BUSY_S = 0.012  # the same, when so much is published that a pass for each commit would cost more than it gains
BUSY_PER_S = 250.0
WATCH_S = 5.0
LONGEST_BACKOFF_S = 5.0

PUBLISHED = Counter("shop_relay_published", "Events published")
PASSES = Counter("shop_relay_passes", "Publishing transactions")
FAILURES = Counter("shop_relay_failures", "Times that the database or the broker was lost")
BACKLOG = Gauge("shop_relay_backlog", "Events that wait in the outbox", multiprocess_mode="mostrecent")
OLDEST = Gauge(
    "shop_relay_oldest_seconds", "Age of the oldest event that waits in the outbox", multiprocess_mode="mostrecent"
)

_BACKLOG = (
    "select count(*), coalesce(extract(epoch from clock_timestamp() - min(time)), 0)::float8"
    " from platform.outbox where published_at is null"
)


class Relay:
    """Two may run at once: a shard's lock is free as soon as its holder's connection is gone."""

    def __init__(self, url: str, outlet: Outlet, poll_s: float = POLL_S) -> None:
        self._url = url
        self._outlet = outlet
        self._poll_s = poll_s
        self._stopping = Event()
        self._alive_at = monotonic()
        self._watched_at = float("-inf")
        self._rate = 0.0
        self._drained_at = monotonic()
        self.ready = False

    @property
    def live(self) -> bool:
        return monotonic() - self._alive_at < 60

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        """Returns after `stop`; outlives any outage of the database and the broker."""
        failures = 0
        while not self._stopping.is_set():
            try:
                with self._connection() as connection:
                    failures = 0
                    self._serve(connection)
            except (psycopg.Error, CarrierError, OSError) as error:
                self.ready = False
                self._alive_at = monotonic()
                FAILURES.inc()
                logger().warning("relay_interrupted", error=type(error).__name__, detail=str(error).strip())
                self._stopping.wait(uniform(0.5, 1) * min(LONGEST_BACKOFF_S, 0.1 * 2**failures))
                failures += 1
        self._outlet.close()

    def _connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self._url,
            autocommit=True,
            application_name="relay",
            **LIVELY,
            options="-c statement_timeout=5s -c idle_in_transaction_session_timeout=10s -c jit=off",
        )

    def _serve(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("listen outbox")
        self._outlet.attach(connection)
        logger().info("relay_ready", outlet=type(self._outlet).__name__)
        while not self._stopping.is_set():
            published, more = self._outlet.drain(connection)
            self.ready = True
            self._alive_at = monotonic()
            PASSES.inc()
            self._measure(published)
            if published:
                PUBLISHED.inc(published)
            if more:
                continue
            self._watch(connection)
            ended_at = monotonic()
            for _ in connection.notifies(timeout=self._poll_s, stop_after=1):
                pass
            gather_s = GATHER_BUSY_S if self._rate > BUSY_PER_S else GATHER_S
            if monotonic() - ended_at < gather_s:
                sleep(gather_s)

    def _measure(self, published: int) -> None:
        """Keeps the rate of the last dozen passes or so, in events per second."""
        now = monotonic()
        self._rate += 0.1 * (published / max(now - self._drained_at, 0.001) - self._rate)
        self._drained_at = now

    def _watch(self, connection: psycopg.Connection[Any]) -> None:
        if monotonic() - self._watched_at < WATCH_S:
            return
        row = connection.execute(_BACKLOG).fetchone()
        assert row is not None
        BACKLOG.set(row[0])
        OLDEST.set(row[1])
        self._watched_at = monotonic()
