"""Triggers: a KafkaSource and its dead-letter KafkaSink per event function, a PingSource per timer, and the topics."""

from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from infra.dispatcher.dispatcher import Rules
from infra.dispatcher.subscriptions import Subscription, subscriptions
from infra.manifests import Files
from infra.manifests.kubernetes import (
    BROKERS,
    NAMESPACE,
    Manifest,
    documents,
    labels,
    service_ref,
)
from shared.runtime.declare import (
    Declaration,
    OnEvent,
    Timer,
    dead_letter_topic,
    retry_topic,
)
from shared.runtime.events import EVENTS, PARTITIONS

DAY_MS = 86_400_000
ANSWER_S = 30


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    key: str
    retention_days: int
    carries: tuple[str, ...]


def topics(declarations: Iterable[Declaration]) -> list[Topic]:
    """Every topic of the shop, those of the functions' events first."""
    known = list(declarations)
    used = {event for declaration in known for event in declaration.emits}
    used |= {event for d in known if isinstance(d.trigger, OnEvent) for event in d.trigger.events}
    by_topic: dict[str, set[str]] = {}
    for event in used:
        by_topic.setdefault(event.topic, set()).add(event.type)
    found = [
        Topic(
            name,
            next(EVENTS[kind].key_field for kind in kinds),
            7,
            tuple(sorted(kinds)),
        )
        for name, kinds in sorted(by_topic.items())
    ]
    for subscription in sorted(subscriptions(known), key=lambda subscription: subscription.consumer.name):
        consumer = subscription.consumer.name
        found.append(
            Topic(
                retry_topic(consumer),
                "as first sent",
                7,
                (f"what {consumer} is given again",),
            )
        )
        found.append(
            Topic(
                dead_letter_topic(consumer),
                "as first sent",
                30,
                (f"what {consumer} could not take",),
            )
        )
    return found


def files(declarations: list[Declaration]) -> Files:
    by_service = {declaration.service: declaration for declaration in declarations}
    written = {
        f"triggers/{name}.yaml": documents(
            _from_topics(by_service[name], subscription),
            f"the declaration in {_file(by_service[name])}",
        )
        for subscription in subscriptions(declarations)
        for name in [subscription.consumer.name]
    }
    written |= {
        f"triggers/{declaration.service}.yaml": documents(
            [_ping(declaration, declaration.trigger)],
            f"the declaration in {_file(declaration)}",
        )
        for declaration in declarations
        if isinstance(declaration.trigger, Timer)
    }
    return written | {"triggers/topics.yaml": documents([_topics(declarations)], "the events that functions declare")}


def _file(declaration: Declaration) -> str:
    return f"{declaration.module.replace('.', '/')}.py"


def _from_topics(declaration: Declaration, subscription: Subscription) -> list[Manifest]:
    """Without a dead-letter sink an event that is refused would be lost: both or none."""
    name, sink = declaration.service, f"{declaration.service}-dead-letters"
    rules = Rules()
    source = {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "KafkaSource",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": labels(declaration, "trigger"),
        },
        "spec": {
            "consumerGroup": name,
            "bootstrapServers": [BROKERS],
            "topics": list(subscription.consumer.topics),
            "consumers": 1,
            "initialOffset": "earliest",
            "ordering": "ordered",
            "delivery": {
                "retry": rules.retries,
                "backoffPolicy": "exponential",
                "backoffDelay": f"PT{rules.backoff_s:g}S",
                "timeout": f"PT{ANSWER_S}S",
                "deadLetterSink": {
                    "ref": {
                        "apiVersion": "eventing.knative.dev/v1alpha1",
                        "kind": "KafkaSink",
                        "name": sink,
                    }
                },
            },
            "sink": service_ref(name),
        },
    }
    dead_letters = {
        "apiVersion": "eventing.knative.dev/v1alpha1",
        "kind": "KafkaSink",
        "metadata": {
            "name": sink,
            "namespace": NAMESPACE,
            "labels": labels(declaration, "dead-letters"),
        },
        "spec": {
            "topic": dead_letter_topic(name),
            "contentMode": "binary",
            "bootstrapServers": [BROKERS],
        },
    }
    return [dead_letters, source]


def _ping(declaration: Declaration, timer: Timer) -> Manifest:
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "PingSource",
        "metadata": {
            "name": declaration.service,
            "namespace": NAMESPACE,
            "labels": labels(declaration, "trigger"),
        },
        "spec": {
            "schedule": timer.schedule,
            "timezone": "UTC",
            "contentType": "application/json",
            "data": "{}",
            "sink": service_ref(declaration.service),
        },
    }


def _topics(declarations: list[Declaration]) -> Manifest:
    listed = [
        {
            "name": topic.name,
            "partitions": PARTITIONS,
            "retention_ms": topic.retention_days * DAY_MS,
            "key": topic.key,
            "carries": list(topic.carries),
        }
        for topic in topics(declarations)
    ]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "topics",
            "namespace": NAMESPACE,
            "labels": {
                "app.kubernetes.io/part-of": "kn-shop",
                "app.kubernetes.io/managed-by": "kn-shop",
            },
        },
        "data": {"topics.yaml": yaml.safe_dump(listed, sort_keys=False, width=120)},
    }
