"""What the payments domain counts of itself; measure_payments sets the gauges, from what the tables say."""

from prometheus_client import Counter, Gauge, Histogram


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    """Of all processes the one that measured last is right."""
    return Gauge(name, text, labels, multiprocess_mode="mostrecent")


OUTCOMES = Counter("shop_payment_outcomes", "Attempts that were settled, by what came of them", ["operation", "code"])
CALL = Histogram(
    "shop_provider_call_seconds",
    "How long the provider took to answer, or not to",
    ["operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4),
)
HELD_BACK = Counter("shop_provider_held_back", "Calls that were not made, because the breaker is open")
EVENTS = Counter("shop_provider_events", "Webhooks of the provider, by what was done with them", ["state"])

OPEN_ATTEMPTS = _gauge("shop_payment_attempts_open", "Attempts that are not settled, by state", "state")
OLDEST_UNKNOWN = _gauge("shop_payment_unknown_oldest_seconds", "Age of the oldest attempt of unknown outcome")
REFUNDS = _gauge("shop_payment_refunds_open", "Refunds that are asked for and not settled")
BREAKER = _gauge("shop_provider_breaker", "1 for the state that the breaker is in", "state")
DIFFERENCES = _gauge("shop_payment_differences", "Figures in which our books and the provider's differ", "cause")
COMPARED = _gauge("shop_payment_comparison_age_seconds", "Since when all books have not been compared")
CHARGEBACKS = _gauge("shop_payment_chargebacks_open", "Disputes that are not decided")
CHARGEBACKS_MINOR = _gauge("shop_payment_chargebacks_open_minor", "What they are about, in minor units", "currency")

BREAKER_STATES = ("closed", "open", "half_open")
ATTEMPT_STATES = ("waiting", "sending", "unknown", "action")

for _operation in ("authorize", "capture", "void", "refund"):
    OUTCOMES.labels(_operation, "ok")
    CALL.labels(_operation)
for _state in ("applied", "early", "ignored", "contradicted", "repeated"):
    EVENTS.labels(_state)

DIFFERENCE_CAUSES = frozenset(
    {
        *("never_asked_for", "not_at_provider", "refused_here", "only_there", "only_here", "dispute_not_told"),
        "no_order",
    }
)
told_currencies: set[str] = set()
"""Those of open disputes that this process has told of: each is told of as 0 when it is over."""
