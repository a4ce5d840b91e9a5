"""The kinds of object that are served, and what Kubernetes' discovery documents say of them."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

READS = ["get", "list", "watch"]


@dataclass(frozen=True, slots=True)
class Kind:
    """`group` is empty for Kubernetes' own core. `source` marks what `kn source list` is to find."""

    group: str
    version: str
    plural: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    source: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def categories(self) -> tuple[str, ...]:
        """Names under which several kinds are listed together: `kubectl get knative`."""
        if not self.group.endswith("knative.dev"):
            return ()
        return ("all", "knative", self.group.partition(".")[0])

    @property
    def resource(self) -> str:
        """As error messages name it: services.serving.knative.dev."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Kind("", "v1", "namespaces", "Namespace", ("ns",), namespaced=False)
DEFINITIONS = Kind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", ("crd",), namespaced=False
)

KINDS = (
    NAMESPACES,
    DEFINITIONS,
    # Kinds of which the shop has none are there too: "none found" is what `kn` shall say of them, and no error.
    Kind("eventing.knative.dev", "v1", "brokers", "Broker"),
    Kind("eventing.knative.dev", "v1", "triggers", "Trigger"),
    Kind("eventing.knative.dev", "v1beta2", "eventtypes", "EventType"),
    Kind("eventing.knative.dev", "v1alpha1", "kafkasinks", "KafkaSink"),
    Kind("messaging.knative.dev", "v1", "channels", "Channel"),
    Kind("messaging.knative.dev", "v1", "subscriptions", "Subscription"),
    Kind("serving.knative.dev", "v1", "configurations", "Configuration", ("config", "cfg")),
    Kind("serving.knative.dev", "v1", "revisions", "Revision", ("rev",)),
    Kind("serving.knative.dev", "v1", "routes", "Route", ("rt",)),
    Kind("serving.knative.dev", "v1", "services", "Service", ("kservice", "ksvc")),
    Kind("serving.knative.dev", "v1beta1", "domainmappings", "DomainMapping", ("dm",)),
    Kind("sources.knative.dev", "v1", "apiserversources", "ApiServerSource"),
    Kind("sources.knative.dev", "v1", "containersources", "ContainerSource"),
    Kind("sources.knative.dev", "v1", "kafkasources", "KafkaSource", source=True),
    Kind("sources.knative.dev", "v1", "pingsources", "PingSource", source=True),
    Kind("sources.knative.dev", "v1", "sinkbindings", "SinkBinding"),
    # Some releases of kn ask for these versions.
    Kind("eventing.knative.dev", "v1beta3", "eventtypes", "EventType"),
    Kind("sources.knative.dev", "v1beta2", "pingsources", "PingSource"),
)
BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}


def versions_of(group: str) -> list[str]:
    """The first is the one to be used."""
    return list(dict.fromkeys(kind.version for kind in KINDS if kind.group == group))


def groups() -> list[str]:
    named = (kind.group for kind in sorted(KINDS, key=lambda kind: kind.group) if kind.group)
    return [group for group, _ in groupby(named)]


def group_document(group: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions_of(group)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def resources_document(group: str, version: str) -> dict[str, Any]:
    listed = [kind for kind in KINDS if (kind.group, kind.version) == (group, version)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [
            {
                "name": kind.plural,
                "singularName": kind.kind.lower(),
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": READS,
                **({"shortNames": list(kind.short)} if kind.short else {}),
                **({"categories": list(kind.categories)} if kind.categories else {}),
            }
            for kind in listed
        ],
    }
