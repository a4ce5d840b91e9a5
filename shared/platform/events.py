"""What the shop says of its own working, for those who watch it."""

from datetime import datetime

from shared.runtime import Event


class BreakerOpened(
    Event,
    type="shop.platform.breaker.opened.v1",
    topic="shop.platform",
    key="name",
    subject="breaker/{name}",
    sent_by=("payments",),
):
    """Nobody calls whom the breaker is named after until `retry_at`; then one call tries."""

    name: str
    failures: int
    retry_at: datetime


class BreakerClosed(
    Event,
    type="shop.platform.breaker.closed.v1",
    topic="shop.platform",
    key="name",
    subject="breaker/{name}",
    sent_by=("payments",),
):
    """It answers again; it was away since `opened_at`."""

    name: str
    opened_at: datetime
