"""Prometheus metrics of every function, by the names that the dashboards and alerts use.

What a call counts on is looked up once: children are kept by whoever counts. What an alert watches is there as 0 before
it is first counted, since Prometheus sees no growth in a series that begins.
"""

import os
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

DURATION_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
DELAY_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""Promises are made of these: shares of what is at most so long."""

INVOCATIONS = Counter("shop_function_invocations", "Invocations by their answer", ["function", "status"])
DURATION = Histogram(
    "shop_function_duration_seconds",
    "Time from the request's last byte to the answer, of a stream to its end, without what `Prefer: wait` asked for",
    ["function"],
    buckets=DURATION_BOUNDS_S,
)
DELAY = Histogram(
    "shop_event_delay_seconds",
    "Time from an event's emission to its effect",
    ["function"],
    buckets=DELAY_BOUNDS_S,
)
EMITTED = Counter("shop_events_emitted", "Events committed to the outbox", ["function", "type"])
DUPLICATES = Counter("shop_events_duplicate", "Deliveries of events that were already applied", ["function"])
PARKED = Counter("shop_events_parked", "Events parked after their handler failed too often", ["function"])
STATEMENTS = Counter("shop_statements", "SQL statements of units of work that went well", ["function"])
CONNECTION_WAITS = Counter("shop_connection_waits", "Times that all of a process's database connections were taken")

FAULTS = (500, 503)


class Answered(dict[int, Counter]):
    """The invocations of one function by their status."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self._function = function
        for status in FAULTS:
            self[status] = self.__missing__(status)

    def __missing__(self, status: int) -> Counter:
        child = self[status] = INVOCATIONS.labels(self._function, str(status))
        return child


@cache
def emitted(function: str, type: str) -> Counter:
    return EMITTED.labels(function, type)


@cache
def statements(function: str) -> Counter:
    return STATEMENTS.labels(function)


RATE_LIMITED = Counter("shop_rate_limited", "Requests refused because their caller sent too many", ["function"])


def exposition() -> tuple[bytes, str]:
    """All metrics of this process, or of all processes where PROMETHEUS_MULTIPROC_DIR is set; and the content type."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
