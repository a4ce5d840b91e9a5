"""What those who look after orders do, and what waits for them."""

from prometheus_client import Counter, Gauge

ACTIONS = Counter("shop_order_desk_actions", "What people did to orders and customers' data, by action", ["action"])
UNDER_REVIEW = Gauge("shop_orders_under_review", "Orders held for review", multiprocess_mode="mostrecent")
REVIEW_OLDEST = Gauge(
    "shop_orders_review_oldest_seconds", "For how long the oldest has been held", multiprocess_mode="mostrecent"
)
