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
KEPT_DAYS = 7
DEAD_LETTERS_KEPT_DAYS = 30
KEYED = {
    "shop.catalog": "a product's or category's changes are told in the order in which they were made",
    "shop.fulfilments": "a parcel is shipped before it is delivered or comes back",
    "shop.holds": "an order's saga hears what became of its goods in the order in which it happened",
    "shop.inventory.commands": "a hold is asked for before it is committed, extended or released",
    "shop.orders": "an order is created before it is confirmed, and confirmed before it is completed",
    "shop.payments": "an authorisation is told before its capture, and a capture before its refund",
    "shop.payments.commands": "a payment is authorised before it is captured or voided",
    "shop.platform": "what is wrong is told before it is right again",
    "shop.stock": "of two levels of a SKU the later one is told last",
}
"""Why each topic has the key that it has: its events of one key are taken one after the other."""
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
            _key(name, kinds),
            KEPT_DAYS,
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
                KEPT_DAYS,
                (f"what {consumer} is given again",),
            )
        )
        found.append(
            Topic(
                dead_letter_topic(consumer),
                "as first sent",
                DEAD_LETTERS_KEPT_DAYS,
                (f"what {consumer} could not take",),
            )
        )
    return found


def _key(topic: str, types: Iterable[str]) -> str:
    """The field that is the topic's key. Raises ValueError where nobody has said why, or the events disagree."""
    if topic not in KEYED:
        raise ValueError(f"say in KEYED why {topic} has the key that it has")
    keys = {EVENTS[type].key_field for type in types}
    if len(keys) > 1:
        raise ValueError(f"{topic} has several keys: {', '.join(sorted(keys))}")
    return keys.pop()


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
