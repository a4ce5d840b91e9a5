"""Lists as the tables that kubectl asks for."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from infra.local.kubernetes.kinds import Kind

Object = Mapping[str, Any]


def _condition(found: Object, field: str) -> str:
    conditions = found.get("status", {}).get("conditions", [])
    return next((str(one.get(field, "")) for one in conditions if one["type"] == "Ready"), "")


def _age(found: Object) -> str:
    created = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    seconds = max(int((datetime.now(UTC) - created).total_seconds()), 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


COLUMNS: dict[str, Callable[[Object], Any]] = {
    "Name": lambda found: found["metadata"]["name"],
    "URL": lambda found: found["status"].get("url", ""),
    "Type": lambda found: found["spec"].get("type", ""),
    "Schedule": lambda found: found["spec"].get("schedule", ""),
    "Topics": lambda found: ",".join(found["spec"].get("topics", [])),
    "Ready": lambda found: _condition(found, "status"),
    "Reason": lambda found: _condition(found, "reason"),
    "Age": _age,
}
OF_KIND = {
    "Service": ("Name", "URL", "Ready", "Reason", "Age"),
    "Route": ("Name", "URL", "Ready", "Reason", "Age"),
    "EventType": ("Name", "Type", "Ready", "Reason", "Age"),
    "PingSource": ("Name", "Schedule", "Ready", "Reason", "Age"),
    "KafkaSource": ("Name", "Topics", "Ready", "Reason", "Age"),
    "Namespace": ("Name", "Age"),
    "CustomResourceDefinition": ("Name", "Age"),
}
DEFAULT = ("Name", "Ready", "Reason", "Age")


def table(kind: Kind, objects: list[dict[str, Any]], version: str) -> dict[str, Any]:
    names = OF_KIND.get(kind.kind, DEFAULT)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {
                "name": name,
                "type": "string",
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": 0,
            }
            for name in names
        ],
        "rows": [
            {
                "cells": [COLUMNS[name](found) for name in names],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": found["metadata"],
                },
            }
            for found in objects
        ],
    }
