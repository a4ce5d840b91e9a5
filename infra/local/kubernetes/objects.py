"""The generated manifests as objects that exist: each function's Service with its revision, route and readiness."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zlib import crc32

import orjson
import yaml

from infra.local.kubernetes.kinds import KINDS

Object = dict[str, Any]
Objects = dict[str, list[Object]]
"""By kind, each list in the order of its names."""

DIRECTORIES = ("knative/shop", "triggers")
SERVING = "serving.knative.dev/v1"
STAMP = "%Y-%m-%dT%H:%M:%SZ"
_parameter = re.compile(r"\{(\w+)\}").sub
# The loader in C, where PyYAML was built with it, is some ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a process of the shop can do its work; of one that cannot, why. `since` is when that began."""

    ready: bool
    since: datetime
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What runs here. `dispatcher` is where the process that calls event and timer functions tells its health."""

    url: str
    started: datetime
    workers: int
    dispatcher: str


@cache
def manifests(root: Path) -> tuple[Object, ...]:
    """All that was generated, read once per process."""
    files = sorted(file for directory in DIRECTORIES for file in (root / directory).rglob("*.yaml"))
    return tuple(document for file in files for document in yaml.load_all(file.read_bytes(), _Loader))


def objects(generated: tuple[Object, ...], machine: Machine, web: Health, dispatcher: Health) -> Objects:
    found: defaultdict[str, list[Object]] = defaultdict(list)
    for manifest in generated:
        if manifest["kind"] == "Service" and manifest["apiVersion"] == SERVING:
            by_http = manifest["metadata"]["labels"].get("kn-shop/trigger", "http") == "http"
            health, instances = (web, machine.workers) if by_http else (dispatcher, 1)
            for one in _service(manifest, machine, health, instances):
                found[one["kind"]].append(one)
        elif manifest["kind"] in ("KafkaSource", "PingSource", "KafkaSink", "EventType"):
            status = {"conditions": _conditions(dispatcher, "Ready"), "observedGeneration": 1}
            found[manifest["kind"]].append(_existing(manifest, machine, status))
    if "EventType" not in found:
        found["EventType"] = [_existing(one, machine, _always(machine)) for one in _event_types(generated)]
    for namespace in {one["metadata"]["namespace"] for one in found["Service"]}:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        found["Namespace"].append(_existing(manifest, machine, {"phase": "Active"}))
    found["CustomResourceDefinition"] = [_existing(one, machine, _always(machine)) for one in _definitions()]
    return {kind: sorted(listed, key=lambda one: str(one["metadata"]["name"])) for kind, listed in found.items()}


def _existing(manifest: Object, machine: Machine, status: Object, owner: Object | None = None) -> Object:
    """The manifest with what only a server adds."""
    metadata = manifest["metadata"]
    identity = f"{machine.url}/{manifest['kind']}/{metadata['name']}/{machine.started.isoformat()}"
    given: Object = {
        "uid": str(uuid5(NAMESPACE_URL, identity)),
        "resourceVersion": str(crc32(orjson.dumps(status)) + 1),
        "generation": 1,
        "creationTimestamp": machine.started.strftime(STAMP),
    }
    if owner is not None:
        named = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
        uid = owner["metadata"]["uid"]
        given["ownerReferences"] = [{**named, "uid": uid, "controller": True, "blockOwnerDeletion": True}]
    return {**manifest, "metadata": {**metadata, **given}, "status": status}


def _service(manifest: Object, machine: Machine, health: Health, instances: int) -> Iterator[Object]:
    """The Service, and what Knative makes of it: one configuration, one revision, one route to it."""
    metadata, template = manifest["metadata"], manifest["spec"]["template"]
    name, namespace = metadata["name"], metadata["namespace"]
    revision = f"{name}-00001"
    target = {"latestRevision": True, "percent": 100}
    traffic = [{**target, "revisionName": revision}]
    reached = {"url": url} if (url := _url(manifest, machine)) else {}
    latest = {"latestCreatedRevisionName": revision, "latestReadyRevisionName": revision}
    seen = {"observedGeneration": 1}

    service_status = {
        "conditions": _conditions(health, "ConfigurationsReady", "Ready", "RoutesReady"),
        **seen,
        **latest,
        **reached,
        "traffic": traffic,
    }
    service = _existing(
        {**manifest, "spec": {**manifest["spec"], "traffic": [target]}},
        machine,
        service_status,
    )
    yield service

    labels = {"serving.knative.dev/service": name}
    configuration = _existing(
        {
            "apiVersion": SERVING,
            "kind": "Configuration",
            "metadata": {"name": name, "namespace": namespace, "labels": {**metadata["labels"], **labels}},
            "spec": {"template": template},
        },
        machine,
        {"conditions": _conditions(health, "Ready"), **seen, **latest},
        service,
    )
    yield configuration
    yield _existing(
        {
            "apiVersion": SERVING,
            "kind": "Revision",
            "metadata": {
                "name": revision,
                "namespace": namespace,
                "labels": {
                    **template["metadata"]["labels"],
                    **labels,
                    "serving.knative.dev/configuration": name,
                    "serving.knative.dev/configurationGeneration": "1",
                    "serving.knative.dev/routingState": "active",
                },
                "annotations": {**template["metadata"]["annotations"], "serving.knative.dev/routes": name},
            },
            "spec": template["spec"],
        },
        machine,
        {
            "conditions": _conditions(health, "Active", "ContainerHealthy", "Ready", "ResourcesAvailable"),
            **seen,
            "actualReplicas": instances if health.ready else 0,
            "desiredReplicas": instances,
        },
        configuration,
    )
    yield _existing(
        {
            "apiVersion": SERVING,
            "kind": "Route",
            "metadata": {"name": name, "namespace": namespace, "labels": {**metadata["labels"], **labels}},
            "spec": {"traffic": [{"configurationName": name, **target}]},
        },
        machine,
        {"conditions": _conditions(health, "AllTrafficAssigned", "IngressReady", "Ready"), **seen, **reached}
        | {"traffic": traffic},
        service,
    )


def _url(manifest: Object, machine: Machine) -> str:
    """Where it can be called from here; empty for what only events and timers start.

    A parameter of the path is written :name: braces would be shown percent-encoded.
    """
    metadata = manifest["metadata"]
    route = metadata.get("annotations", {}).get("kn-shop/route")
    if route is not None:
        return machine.url + _parameter(r":\1", route.partition(" ")[2])
    return "" if "kn-shop/trigger" in metadata["labels"] else machine.url


def _conditions(health: Health, *types: str) -> list[Object]:
    stamp = health.since.strftime(STAMP)
    said = {} if health.ready else {"reason": health.reason, "message": health.message}
    status = "True" if health.ready else "False"
    return [{"type": kind, "status": status, "lastTransitionTime": stamp, **said} for kind in types]


def _always(machine: Machine) -> Object:
    return {"conditions": _conditions(Health(True, machine.started), "Ready")}


def _event_types(generated: tuple[Object, ...]) -> Iterator[Object]:
    """Of every type that a topic carries; its source is who emits it, where that is one function alone."""
    emitters = defaultdict(list)
    for manifest in generated:
        metadata = manifest["metadata"]
        for kind in metadata.get("annotations", {}).get("kn-shop/emits", "").split():
            emitters[kind].append(f"/shop/{metadata['labels']['kn-shop/domain']}/{metadata['name']}")
    for manifest in generated:
        if manifest["kind"] != "ConfigMap" or "topics.yaml" not in manifest["data"]:
            continue
        for topic in yaml.load(manifest["data"]["topics.yaml"], _Loader):  # noqa: S506 (the safe loader, in C)
            for kind in (kind for kind in topic["carries"] if kind in emitters):
                yield _event_type(kind, emitters[kind], topic, manifest["metadata"])


def _event_type(kind: str, sources: list[str], topic: Mapping[str, Any], beside: Mapping[str, Any]) -> Object:
    said = f"Carried by the topic {topic['name']}, in order by {topic['key']}. From {', '.join(sources)}."
    return {
        "apiVersion": "eventing.knative.dev/v1beta2",
        "kind": "EventType",
        "metadata": {
            "name": kind.replace("_", "-"),
            "namespace": beside["namespace"],
            "labels": beside["labels"],
        },
        "spec": {"type": kind, "description": said, **({"source": sources[0]} if len(sources) == 1 else {})},
    }


def _definitions() -> Iterator[Object]:
    for kind in KINDS:
        if kind.source:
            names = {"kind": kind.kind, "listKind": f"{kind.kind}List", "plural": kind.plural}
            yield {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": kind.resource, "labels": {"duck.knative.dev/source": "true"}},
                "spec": {
                    "group": kind.group,
                    "scope": "Namespaced",
                    "names": {**names, "singular": kind.kind.lower()},
                    "versions": [{"name": kind.version, "served": True, "storage": True}],
                },
            }
