"""An EventType for every event that the functions emit or consume: `kn eventtype list` is the catalogue of events."""

import inspect
import json

from infra.manifests import Files
from infra.manifests.asyncapi import schema, used_events
from infra.manifests.kubernetes import NAMESPACE, Manifest, documents, service_ref
from shared.runtime.declare import Declaration, OnEvent
from shared.runtime.events import Event

DIRECTORY = "knative/eventtypes"
PUBLISHER = "publish-event"
"""Who has an event of another service for the shop gives it to this function."""


def files(declarations: list[Declaration]) -> Files:
    return {
        f"{DIRECTORY}/{event.type}.yaml": documents(
            [event_type(event, declarations)], f"{event.__name__} in {event.__module__.replace('.', '/')}.py"
        )
        for event in used_events(declarations)
    }


def name_of(type: str) -> str:
    """Kubernetes takes no underscore in a name."""
    return type.replace("_", "-")


def event_type(event: type[Event], declarations: list[Declaration]) -> Manifest:
    """`source` is left open: what emits it is listed in an annotation, and further publishers may be allowed."""
    consumers = [
        one.service for one in declarations if isinstance(one.trigger, OnEvent) and event in one.trigger.events
    ]
    emitters = [one.service for one in declarations if event in one.emits and one.service != PUBLISHER]
    said = inspect.getdoc(event) if event.__doc__ else None
    return {
        "apiVersion": "eventing.knative.dev/v1beta2",
        "kind": "EventType",
        "metadata": {
            "name": name_of(event.type),
            "namespace": NAMESPACE,
            "labels": {
                "app.kubernetes.io/part-of": "kn-shop",
                "app.kubernetes.io/managed-by": "kn-shop",
                "kn-shop/domain": event.type.split(".")[1],
            },
            "annotations": {
                "kn-shop/topic": event.topic,
                "kn-shop/key": event.key_field,
                "kn-shop/emitted-by": ",".join(emitters),
                "kn-shop/consumed-by": ",".join(consumers),
            },
        },
        "spec": {
            "type": event.type,
            "schema": f"urn:kn-shop:event:{event.type}",
            "schemaData": json.dumps(_bare(schema(event)), separators=(",", ":"), ensure_ascii=False),
            "description": " ".join((said or event.__name__).split()),
            "reference": service_ref(PUBLISHER)["ref"],
        },
    }


def _bare(whole: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in whole.items() if name != "$comment"}
