"""What the orders domain counts of its sagas; measure_sagas sets the gauges, from what the tables say."""

from prometheus_client import Gauge, Histogram


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    """Of all processes the one that measured last is right."""
    return Gauge(name, text, labels, multiprocess_mode="mostrecent")


SAGAS = _gauge("shop_sagas_open", "Sagas that have not ended, or that need attention, by state", "state")
OLDEST = _gauge("shop_saga_oldest_seconds", "How long the one that moved least recently stands at a state", "state")
ASKED_AGAIN = _gauge("shop_sagas_asked_again", "Sagas whose command was sent more than once, by state", "state")
OVERDUE = _gauge("shop_sagas_overdue", "Sagas that should have been driven on a minute ago, and have not")

CONFIRMED = Histogram(
    "shop_order_confirmed_seconds",
    "From an order's creation until it is confirmed, with the time in which its customer acted",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
)
