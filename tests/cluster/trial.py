"""The shop on a cluster, as a trial sees it: by kubectl, and through its gateway."""

import asyncio
import statistics
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import aiohttp

from infra.manifests import rollout
from infra.manifests.cluster import Cluster
from infra.manifests.kubernetes import Manifest
from infra.manifests.plan import Plan
from infra.manifests.smoke import LOCATION, SKU, Door
from shared.runtime.declare import Declaration

SERVICE = "serving.knative.dev/service"
CAPTURED_WITHIN_S = 180


class Refuted(Exception):
    """What was seen in place of what has to be."""


@dataclass(frozen=True, slots=True)
class Said:
    """`seconds` is from the request to the end of its answer; `status` 0 is no answer."""

    status: int
    body: Any
    seconds: float


@dataclass(slots=True)
class Trial:
    plan: Plan
    declarations: Sequence[Declaration]
    cluster: Cluster
    client: aiohttp.ClientSession
    lines: list[str] = field(default_factory=list)

    def deploy(self, plan: Plan) -> None:
        self.lines.clear()
        rollout.deploy(plan, self.declarations, self.lines.append)

    @property
    def door(self) -> Door:
        gateway = self.cluster.get(rollout.SERVICES, "api")
        if gateway is None:
            raise Refuted("there is no gateway")
        return Door(gateway["status"]["url"], self.plan.ingress)

    @property
    def tokens(self) -> tuple[str, str]:
        tokens = rollout.tokens_of(self.plan, rollout.issuer_of(self.cluster, self.plan))
        if tokens is None:
            raise Refuted("with an issuer of your own this needs SMOKE_ADMIN_TOKEN and SMOKE_CUSTOMER_TOKEN")
        return tokens

    def pods(self) -> list[Manifest]:
        """Those that run or are about to."""
        return [pod for pod in self.cluster.all("pods") if "deletionTimestamp" not in pod["metadata"]]

    def scaled(self) -> set[str]:
        """The Services that have a pod, or one that is still ending."""
        labels = [pod["metadata"].get("labels", {}) for pod in self.cluster.all("pods")]
        return {label[SERVICE] for label in labels if SERVICE in label}

    def warm(self) -> set[str]:
        """The Services that are declared to keep an instance."""
        least = "autoscaling.knative.dev/min-scale"
        return {
            service["metadata"]["name"]
            for service in self.cluster.all(rollout.SERVICES)
            if int(service["spec"]["template"]["metadata"]["annotations"].get(least, "0"))
        }


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls through the gateway, once: whatever goes wrong is to be seen."""

    client: aiohttp.ClientSession
    door: Door
    token: str

    async def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Said:
        url, host = self.door.place(path)
        sent = {"authorization": f"Bearer {self.token}", **host}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        began = perf_counter()
        try:
            async with self.client.request(method, url, json=body, headers=sent) as answer:
                json = answer.content_type.endswith("json")
                said = await (answer.json(content_type=None) if json else answer.text())
                return Said(answer.status, said, perf_counter() - began)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Said(0, f"{type(error).__name__}: {error}", perf_counter() - began)

    async def buy(self, *, wait: bool = True) -> Said:
        """One unit of the smoke test's product."""
        body = {"lines": [{"sku": SKU, "quantity": 1}], "payment_token": "tok_approve"}
        headers = {"prefer": "wait=10"} if wait else {}
        return await self("POST", "/v1/orders", body, idempotency_key=str(uuid.uuid4()), **headers)

    async def captured(self, order: dict[str, Any]) -> float:
        """Seconds until the order's money is captured. Raises Refuted when that does not come about."""
        began = perf_counter()
        while order["payment"] != "captured":
            if order["status"] in ("rejected", "cancelled") or perf_counter() - began > CAPTURED_WITHIN_S:
                raise Refuted(f"order {order['number']} stands at {order['status']}, {order['payment']}")
            await asyncio.sleep(0.2)
            said = await self("GET", f"/v1/orders/{order['id']}")
            if said.status == 200:
                order = said.body
        return perf_counter() - began

    async def restocked(self, units: int) -> None:
        """Sets the level of the smoke test's product. Raises Refuted."""
        level = {"on_hand": units}
        said = await self("PUT", f"/v1/stock/{SKU}/{LOCATION}", level)
        if said.status != 200:
            raise Refuted(f"stock could not be set: {said.status} {said.body}")


Step = Callable[[Trial], Awaitable[str]]


def spread(seconds: Sequence[float]) -> str:
    """Half of them and 95 of 100 in at most so long."""
    cuts = statistics.quantiles(seconds, n=20, method="inclusive") if len(seconds) > 1 else [*seconds] * 19
    return f"p50 {cuts[9]:.2f} s, p95 {cuts[18]:.2f} s of {len(seconds)}"
