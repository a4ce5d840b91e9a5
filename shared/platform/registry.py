"""The functions that there are, as the Kubernetes API tells: on a cluster its own, on one machine that of `make run`.

A function is registered by its Knative Service, whose labels and annotations say all of it (PLAT-001).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any
from urllib.parse import quote

from shared.runtime import Egress

NAMESPACE = "shop"
FUNCTIONS = "app.kubernetes.io/component=function"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod that may use the Kubernetes API finds its token and whom to trust."""

Object = dict[str, Any]


class RegistryAway(Exception):
    """Why the functions cannot be listed, in words for operators."""


@dataclass(frozen=True, slots=True)
class Health:
    """`ready` is None while the cluster has not made up its mind."""

    ready: bool | None
    reason: str | None
    message: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Registered:
    """One function: its Service, and the revision that its calls go to, if there is one."""

    service: Object
    revision: Object | None

    @property
    def name(self) -> str:
        return str(self.service["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.service["metadata"].get("labels", {}))

    @property
    def annotations(self) -> Mapping[str, str]:
        return dict(self.service["metadata"].get("annotations", {}))

    @property
    def status(self) -> Object:
        return dict(self.service.get("status", {}))

    @property
    def health(self) -> Health:
        """What its Service says, and whether of the instances it is to have one passes its readiness probe.

        A Service that was ready once says so still when all its instances have stopped being so.
        """
        ready = condition(self.service, "Ready") or {"status": "Unknown"}
        known = {"True": True, "False": False}.get(ready["status"])
        at = ready.get("lastTransitionTime")
        since = None if at is None else datetime.fromisoformat(str(at))
        if known and self.wanted and not self.replicas:
            return Health(False, "NoInstanceReady", f"none of {self.wanted} passes its readiness probe", None)
        return Health(known, ready.get("reason"), ready.get("message"), since)

    @property
    def wanted(self) -> int:
        """How many instances there should be now."""
        return 0 if self.revision is None else int(self.revision.get("status", {}).get("desiredReplicas") or 0)

    @property
    def least(self) -> int:
        return self._scale("min")

    @property
    def most(self) -> int:
        return self._scale("max")

    @property
    def replicas(self) -> int | None:
        return None if self.revision is None else self.revision.get("status", {}).get("actualReplicas", 0)

    def _scale(self, end: str) -> int:
        template = self.service["spec"]["template"]["metadata"].get("annotations", {})
        return int(template.get(f"autoscaling.knative.dev/{end}-scale", "0"))


def condition(found: Object, kind: str) -> Object | None:
    return next((one for one in found.get("status", {}).get("conditions", ()) if one["type"] == kind), None)


async def registered(egress: Egress, labels: str = "", name: str | None = None) -> list[Registered]:
    """All functions that a label selector and a name choose, in the order of their names. Raises RegistryAway."""
    chosen = f"{FUNCTIONS},{labels}" if labels else FUNCTIONS
    query = f"?labelSelector={quote(chosen)}" + (f"&fieldSelector={quote(f'metadata.name={name}')}" if name else "")
    of_one = f"?labelSelector={quote(f'serving.knative.dev/service={name}')}" if name else ""
    services, revisions = await asyncio.gather(_items(egress, f"services{query}"), _items(egress, f"revisions{of_one}"))
    by_name = {revision["metadata"]["name"]: revision for revision in revisions}
    found = [
        Registered(service, by_name.get(service.get("status", {}).get("latestReadyRevisionName")))
        for service in services
    ]
    return sorted(found, key=lambda one: one.name)


async def _items(egress: Egress, path: str) -> list[Object]:
    from aiohttp import ClientError

    base = egress.settings.kubernetes_url
    if not base:
        raise RegistryAway("KUBERNETES_URL is not set: there is no Kubernetes API to ask.")
    url = f"{base}/apis/serving.knative.dev/v1/namespaces/{NAMESPACE}/{path}"
    try:
        async with egress.http.get(url, headers=_authorization(), ssl=_trusted()) as answer:
            if answer.status != 200:
                raise RegistryAway(f"The Kubernetes API answers {answer.status}.")
            items: list[Object] = (await answer.json(content_type=None))["items"]
            return items
    except (ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
        raise RegistryAway(f"The Kubernetes API cannot be asked: {type(error).__name__}.") from None


def _authorization() -> dict[str, str]:
    """Read each time: the token is replaced while the pod runs."""
    token = ACCOUNT / "token"
    return {"authorization": f"Bearer {token.read_text()}"} if token.exists() else {}


@cache
def _trusted() -> SSLContext | bool:
    authority = ACCOUNT / "ca.crt"
    return create_default_context(cafile=str(authority)) if authority.exists() else True
