"""What the checks of the books say, as gauges; watch_invariants sets them from what its tables say."""

from prometheus_client import Gauge


def _gauge(name: str, text: str) -> Gauge:
    return Gauge(name, text, ["check"], multiprocess_mode="mostrecent")


VIOLATIONS = _gauge("shop_invariant_violations", "Violations that were seen twice, a minute apart")
CHECKED_AT = _gauge("shop_invariant_checked_timestamp_seconds", "When the check was last made")
TOOK = _gauge("shop_invariant_check_seconds", "How long it took")
