"""Why an event that somebody else publishes is not taken."""

from shared.runtime import Problem


class UnknownEventType(Problem, status=422, title="The shop knows no event of this type"):
    """`known_versions` are those of the same type that it does know."""

    event_type: str
    known_versions: list[str]


class PublishingNotAllowed(
    Problem, status=403, title="The caller may not publish events of this type from this source"
):
    source: str
    event_type: str


class EventIdReused(Problem, status=409, title="Another event of this source and id was published before"):
    source: str
    event_id: str


class FunctionNotFound(Problem, status=404, title="There is no function of this name"):
    """Of those that are deployed."""


class DiscoveryUnavailable(Problem, status=503, title="The functions cannot be listed now"):
    """`detail` says whom to ask why."""
