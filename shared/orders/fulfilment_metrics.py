"""What fulfilment counts of itself; measure_fulfilments sets the gauges, from what the tables say."""

from prometheus_client import Counter, Gauge


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    """Of all processes the one that measured last is right."""
    return Gauge(name, text, labels, multiprocess_mode="mostrecent")


FULFILMENTS = _gauge(
    "shop_order_fulfilments_open", "Fulfilments still to be shipped, by status and by age", "status", "age"
)
OLDEST_S = _gauge("shop_order_fulfilments_oldest_seconds", "Age of the oldest fulfilment that is still to be shipped")
REFUSED = _gauge("shop_order_fulfilments_refused", "Fulfilments that inventory let not leave when it was asked last")
REFUNDS = _gauge("shop_order_refunds_open", "Refunds that are not paid, by status", "status")
REQUESTS = _gauge("shop_order_refund_requests_open", "Customers' requests for refunds that are not decided")
STEPS = _gauge(
    "shop_order_steps_open", "Steps beyond the checkout that are not done, by kind and state", "kind", "state"
)
OVERDUE_S = _gauge(
    "shop_order_steps_overdue_seconds", "For how long the oldest command beyond the checkout has no answer"
)

SHORT_UNITS = Counter("shop_order_units_short", "Units that were said not to be there when they were to be sent")
