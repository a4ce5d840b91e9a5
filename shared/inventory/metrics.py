"""What the inventory counts of itself; measure_stock sets the gauges, from what the tables say."""

from prometheus_client import Counter, Gauge, Histogram


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    """Of all processes the one that measured last is right."""
    return Gauge(name, text, labels, multiprocess_mode="mostrecent")


SKUS = _gauge("shop_inventory_skus", "SKUs by the status that is told of them", "status")
UNITS = _gauge("shop_inventory_units", "Units at open locations by what they are", "kind")
HOLDS = _gauge("shop_inventory_holds", "Live holds by status and by age", "status", "age")
HOLDS_OVERDUE = _gauge("shop_inventory_holds_overdue", "Holds that should have expired, and have not")
SHORTFALLS = _gauge("shop_inventory_shortfalls", "SKUs at locations where more is promised than is there")
TRANSFERS = _gauge("shop_inventory_transfers", "Transfers on their way, by whether they are overdue", "overdue")

LOCK_WAIT = Histogram(
    "shop_inventory_lock_wait_seconds",
    "How long an order waited to hold stock that others were changing",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2),
)

ALERTS = Counter("shop_inventory_alerts_raised", "Stock alerts raised by kind", ["kind"])
ALERT_ATTEMPTS = Counter(
    "shop_inventory_alert_attempts", "Attempts to deliver an alert, by what came of them", ["channel", "outcome"]
)
ALERTS_WAITING = _gauge("shop_inventory_alerts_waiting", "Deliveries of alerts that are still to be made")
ALERTS_OLDEST = _gauge("shop_inventory_alerts_oldest_seconds", "Age of the oldest alert that is still to be delivered")
ALERTS_OVERDUE = _gauge("shop_inventory_alerts_overdue_seconds", "How long ago an attempt was due that was not made")

for _kind in ("low", "out", "back_in_stock", "shortfall", "made_good"):
    ALERTS.labels(_kind)
for _channel in ("webhook", "mail"):
    for _outcome in ("delivered", "retry", "failed"):
        ALERT_ATTEMPTS.labels(_channel, _outcome)
