"""What the generated Kubernetes objects have in common."""

from collections.abc import Iterable
from typing import Any

import yaml

from infra.manifests import headed
from shared.runtime.declare import Declaration, Http, OnEvent, Timer

NAMESPACE = "shop"
IMAGE = "dev.local/kn-shop:0.1.0"
"""A name for the committed files; whoever deploys says the real one."""
BROKERS = "kafka.kafka.svc.cluster.local:9092"
"""Likewise."""

Manifest = dict[str, Any]

RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""All that Pod Security's level `restricted` asks of a container, and a root that cannot be written to."""


class _Dumper(yaml.SafeDumper):
    """Writes a shared object out each time: no anchors in manifests."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, *_: Any, **__: Any) -> None:
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def documents(manifests: Iterable[Manifest], generated_from: str) -> str:
    text = "---\n".join(yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120) for manifest in manifests)
    return headed(text, "#", generated_from)


def labels(declaration: Declaration, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": declaration.service,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "kn-shop",
        "app.kubernetes.io/managed-by": "kn-shop",
        "kn-shop/domain": declaration.domain,
    }


def trigger_kind(declaration: Declaration) -> str:
    match declaration.trigger:
        case Http():
            return "http"
        case OnEvent():
            return "event"
        case Timer():
            return "timer"


def service_ref(name: str) -> Manifest:
    return {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}}
