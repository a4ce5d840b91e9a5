"""How a function is shown to those who look for it (PLAT-003, PLAT-004)."""

from datetime import datetime

from shared.platform.problems import DiscoveryUnavailable
from shared.platform.registry import Registered, RegistryAway, registered
from shared.runtime import Egress, View


class Traffic(View):
    """`percent` of the calls go to `revision`."""

    revision: str
    percent: int


class FunctionView(View):
    """`url` is where it is called; a function that events or a timer start has none outside the cluster.

    `ready`: whether it can do its work, since when, with `reason` and `message` where it cannot. `replicas`: instances
    that pass their probe; with 0 of a function that is ready the next call starts one.
    """

    name: str
    domain: str
    use_case: str
    trigger: str
    route: str | None
    roles: list[str]
    consumes: list[str]
    schedule: str | None
    emits: list[str]
    url: str | None
    ready: bool
    reason: str | None
    message: str | None
    since: datetime | None
    revision: str | None
    traffic: list[Traffic]
    image: str
    replicas: int | None
    min_scale: int
    max_scale: int
    scale_reason: str | None
    registered_at: datetime
    labels: dict[str, str]


def shown(one: Registered) -> FunctionView:
    said, health, template = one.annotations, one.health, one.service["spec"]["template"]
    (container,) = template["spec"]["containers"]
    return FunctionView(
        name=one.name,
        domain=one.labels.get("kn-shop/domain", ""),
        use_case=said.get("kn-shop/use-case", ""),
        trigger=one.labels.get("kn-shop/trigger", ""),
        route=said.get("kn-shop/route"),
        roles=said.get("kn-shop/roles", "").split(),
        consumes=said.get("kn-shop/consumes", "").split(),
        schedule=said.get("kn-shop/schedule"),
        emits=said.get("kn-shop/emits", "").split(),
        url=one.status.get("url"),
        ready=health.ready is True,
        reason=health.reason,
        message=health.message,
        since=health.since,
        revision=one.status.get("latestReadyRevisionName"),
        traffic=[
            Traffic(revision=part["revisionName"], percent=part["percent"])
            for part in one.status.get("traffic", ())
            if part.get("percent")
        ],
        image=container["image"],
        replicas=one.replicas,
        min_scale=one.least,
        max_scale=one.most,
        scale_reason=template["metadata"].get("annotations", {}).get("kn-shop/scale-reason"),
        registered_at=datetime.fromisoformat(one.service["metadata"]["creationTimestamp"]),
        labels=dict(one.labels),
    )


async def discovered(egress: Egress, labels: str = "", name: str | None = None) -> list[FunctionView]:
    """Raises DiscoveryUnavailable."""
    try:
        return [shown(one) for one in await registered(egress, labels, name)]
    except RegistryAway as away:
        raise DiscoveryUnavailable(detail=str(away)) from None
