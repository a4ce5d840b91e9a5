"""What the shop says of its own working, for those who watch it."""

from datetime import datetime
from typing import Literal

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


class FunctionRegistered(
    Event, type="shop.platform.function.registered.v1", topic="shop.platform", key="name", subject="function/{name}"
):
    """It was deployed, for the first time or again after it had been taken off."""

    name: str
    domain: str
    trigger: str
    revision: str | None


class FunctionDeregistered(
    Event, type="shop.platform.function.deregistered.v1", topic="shop.platform", key="name", subject="function/{name}"
):
    """It was taken off."""

    name: str
    registered_at: datetime


class FunctionUnhealthy(
    Event, type="shop.platform.function.unhealthy.v1", topic="shop.platform", key="name", subject="function/{name}"
):
    """`failing`: it has not been ready since `since`. `flapping`: since then it has been ready now and then."""

    name: str
    kind: Literal["failing", "flapping"]
    reason: str | None
    message: str | None
    since: datetime


class FunctionRecovered(
    Event, type="shop.platform.function.recovered.v1", topic="shop.platform", key="name", subject="function/{name}"
):
    """It has been steadily ready for a while; it was `kind` from `since` on."""

    name: str
    kind: Literal["failing", "flapping"]
    since: datetime
