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


class InvariantViolated(
    Event, type="shop.platform.invariant.violated.v1", topic="shop.platform", key="name", subject="invariant/{name}"
):
    """The books disagree, and did so a minute before: GET /v1/invariants/history has examples."""

    name: str
    sentence: str
    violations: int
    first_seen: datetime


class InvariantRestored(
    Event, type="shop.platform.invariant.restored.v1", topic="shop.platform", key="name", subject="invariant/{name}"
):
    """The books agree again."""

    name: str
    sentence: str
    first_seen: datetime
    last_seen: datetime
