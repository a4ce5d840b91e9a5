"""What a function's readiness over time says of it: healthy, failing or flapping (PLAT-006).

One look that finds it unready says little: it may be starting, or its database may have been away for a moment.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

Status = Literal["healthy", "failing", "flapping"]

FAILING_AFTER = timedelta(seconds=30)
"""Unready for so long without a break, it fails."""
UNSTEADY = 4
"""Changes between ready and unready within `UNSTEADY_WITHIN` by which it flaps: two outages and two returns."""
UNSTEADY_WITHIN = timedelta(minutes=10)
STEADY_AFTER = timedelta(seconds=60)
"""Ready for so long without a break, it has recovered."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`ready` has been what it is since `held_since`; `changes` are the moments of late at which it became another.

    `since` is when `status` began.
    """

    ready: bool
    held_since: datetime
    changes: tuple[datetime, ...]
    status: Status
    since: datetime


def first(ready: bool, now: datetime) -> Standing:
    """Of a function that was not known: counted from now on."""
    return Standing(ready, now, (), "healthy", now)


def judged(before: Standing, ready: bool, now: datetime) -> Standing:
    """The standing after one more look. The same `status` as before says that there is nothing to tell."""
    recent = tuple(at for at in before.changes if now - at < UNSTEADY_WITHIN)
    after = replace(before, changes=recent)
    if ready != before.ready:
        after = replace(before, ready=ready, held_since=now, changes=(*recent, now))
    status = _status(after, now)
    if status == before.status:
        return after
    began = {"failing": after.held_since, "flapping": min(after.changes, default=now), "healthy": now}
    return replace(after, status=status, since=began[status])


def _status(standing: Standing, now: datetime) -> Status:
    lasting = now - standing.held_since
    steady = standing.ready and lasting >= STEADY_AFTER
    if not standing.ready and lasting >= FAILING_AFTER:
        return "failing"
    if standing.status == "failing" and not steady:
        return "failing"
    if len(standing.changes) >= UNSTEADY:
        return "flapping"
    return "healthy" if steady or standing.status == "healthy" else "flapping"
