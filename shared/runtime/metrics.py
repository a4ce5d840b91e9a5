"""Prometheus metrics of every function, by the names that the dashboards and alerts use."""

import os

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

INVOCATIONS = Counter("shop_function_invocations", "Invocations by their answer", ["function", "status"])
DURATION = Histogram(
    "shop_function_duration_seconds",
    "Time from the request's last byte to the answer, of a stream to its end",
    ["function"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
EMITTED = Counter("shop_events_emitted", "Events committed to the outbox", ["function", "type"])
DUPLICATES = Counter("shop_events_duplicate", "Deliveries of events that were already applied", ["function"])
PARKED = Counter("shop_events_parked", "Events parked after their handler failed too often", ["function"])

RATE_LIMITED = Counter("shop_rate_limited", "Requests refused because their caller sent too many", ["function"])


def exposition() -> tuple[bytes, str]:
    """All metrics of this process, or of all processes where PROMETHEUS_MULTIPROC_DIR is set; and the content type."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
