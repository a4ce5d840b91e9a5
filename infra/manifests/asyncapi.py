"""AsyncAPI 3 of the topics, and one JSON Schema per event type, which AsyncAPI and tests refer to."""

import inspect
import json
from collections.abc import Iterable
from typing import Any

from infra.manifests import Files
from infra.manifests.triggers import topics
from shared.runtime.declare import Declaration, OnEvent
from shared.runtime.events import PARTITIONS, Event

Schema = dict[str, Any]

HEADERS: Schema = {
    "type": "object",
    "description": "CloudEvents 1.0.2, Kafka protocol binding, binary mode.",
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {
            "type": "string",
            "description": "UUIDv7; (source, id) is unique, and the inbox's key.",
        },
        "ce_source": {"type": "string", "pattern": "^/shop/[a-z]+/[a-z0-9-]+$"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string"},
        "ce_partitionkey": {"type": "string", "description": "The record's key."},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "Contiguous per topic and key.",
        },
        "ce_correlationid": {"type": "string"},
        "ce_causationid": {"type": "string"},
        "ce_traceparent": {"type": "string"},
        "content-type": {"const": "application/json"},
    },
    "required": [
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "content-type",
    ],
}


def files(declarations: list[Declaration]) -> Files:
    document = {"docs/reference/asyncapi.json": _json(asyncapi(declarations))}
    return document | {
        f"docs/reference/schemas/{event.type}.json": _json(schema(event)) for event in used_events(declarations)
    }


def _json(value: Schema) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def used_events(declarations: Iterable[Declaration]) -> list[type[Event]]:
    known = list(declarations)
    used = {event for declaration in known for event in declaration.emits}
    used |= {event for d in known if isinstance(d.trigger, OnEvent) for event in d.trigger.events}
    return sorted(used, key=lambda event: event.type)


def schema(event: type[Event]) -> Schema:
    """What a consumer must take: fields with a default came later within the version, and may be missing."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kn-shop:event:{event.type}",
        "$comment": "Generated from the event's class by `python -m infra.manifests generate`.",
        **event.model_json_schema(mode="validation"),
    }


def asyncapi(declarations: list[Declaration]) -> Schema:
    used = used_events(declarations)
    listed = {topic.name: topic for topic in topics(declarations)}
    channels = {
        name: {
            "address": name,
            "messages": {
                event.type: {"$ref": f"#/components/messages/{event.type}"} for event in used if event.topic == name
            },
            "description": f"{PARTITIONS} partitions; key: {topic.key}; kept {topic.retention_days} days.",
            "bindings": {"kafka": {"partitions": PARTITIONS, "bindingVersion": "0.5.0"}},
        }
        for name, topic in listed.items()
        if any(event.topic == name for event in used)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "kn-shop events",
            "version": "1",
            "description": "Generated from the declarations in functions/ by `python -m infra.manifests generate`."
            " Every consumer also has a topic for what it is given again, `shop.retry.<consumer>`, and one for what it"
            " could not take, `shop.dead.<consumer>`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": _operations(declarations),
        "components": {
            "messages": {event.type: _message(event) for event in used},
            "schemas": {"CloudEvent": HEADERS},
        },
    }


def _message(event: type[Event]) -> Schema:
    key = event.model_json_schema()["properties"][event.key_field]
    message: Schema = {"name": event.type, "title": event.__name__}
    if event.__doc__ and (said := inspect.getdoc(event)):
        message["description"] = said
    return message | {
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEvent"},
        "payload": {"$ref": f"./schemas/{event.type}.json"},
        "bindings": {
            "kafka": {
                "key": {**key, "description": f"`{event.key_field}`"},
                "bindingVersion": "0.5.0",
            }
        },
        "x-kn-shop-sent-by": [f"/shop/{domain}/" for domain in event.sent_by],
    }


def _operations(declarations: list[Declaration]) -> Schema:
    found: Schema = {}
    for declaration in declarations:
        consumed = declaration.trigger.events if isinstance(declaration.trigger, OnEvent) else ()
        for action, events in (("receive", consumed), ("send", declaration.emits)):
            for topic in sorted({event.topic for event in events}):
                found[f"{declaration.name}.{action}.{topic}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{_pointer(topic)}"},
                    "summary": declaration.summary,
                    "messages": [
                        {"$ref": f"#/channels/{_pointer(topic)}/messages/{_pointer(event.type)}"}
                        for event in sorted(events, key=lambda event: event.type)
                        if event.topic == topic
                    ],
                }
    return found


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
