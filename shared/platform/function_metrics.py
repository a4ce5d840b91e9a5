"""What the watcher says of the functions, as gauges."""

from collections.abc import Collection
from contextlib import suppress
from typing import get_args

from prometheus_client import Gauge

from shared.platform.standing import Status

STATUSES: tuple[Status, ...] = get_args(Status)

LISTED = Gauge(
    "shop_functions_listed", "1 when the functions could be listed at the last look", multiprocess_mode="mostrecent"
)
FUNCTIONS = Gauge(
    "shop_functions", "Functions that are deployed, by their standing", ["status"], multiprocess_mode="mostrecent"
)
UNHEALTHY = Gauge(
    "shop_function_unhealthy", "1 for a function that fails or flaps", ["target"], multiprocess_mode="mostrecent"
)

_told: set[str] = set()


def unhealthy(names: Collection[str], gone: Collection[str]) -> None:
    """Sets those named to 1, and those that were and are no more to 0; what was taken off is not told of."""
    for name in gone:
        _told.discard(name)
        with suppress(KeyError):
            UNHEALTHY.remove(name)
    for name in _told.difference(names):
        UNHEALTHY.labels(name).set(0)
    _told.update(names)
    for name in names:
        UNHEALTHY.labels(name).set(1)
