"""Every manifest fits the schemas of a real API server with Knative, taken once: no cluster is needed."""

from functools import cache
from typing import Any

import pytest
import yaml
from jsonschema_rs import Draft202012Validator

from infra.manifests import ROOT
from tests.contracts import schemas


def manifests() -> list[dict[str, Any]]:
    """All that is committed for a cluster."""
    files = [file for directory in ("knative", "triggers") for file in sorted((ROOT / directory).rglob("*.yaml"))]
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]


@cache
def validator(api_version: str, kind: str) -> Draft202012Validator:
    return Draft202012Validator(schemas.of_kinds(api_version)[kind])


def faults(manifest: dict[str, Any]) -> list[str]:
    found = validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest)
    return [f"{'/'.join(map(str, fault.instance_path))}: {fault.message[:300]}" for fault in found]


def test_every_manifest_fits_its_schema() -> None:
    found = {(one["kind"], one["metadata"]["name"]): faults(one) for one in manifests()}

    assert {name: said for name, said in found.items() if said} == {}
    assert len(found) > 300


@pytest.mark.parametrize(
    ("kind", "path", "value", "said"),
    [
        ("Service", ("spec", "template", "spec", "containerConcurency"), 1, "containerConcurency"),
        ("Service", ("spec", "template", "spec", "timeoutSeconds"), "90", "not of type"),
        ("KafkaSource", ("spec", "bootstrapServers"), "kafka:9092", "not of type"),
        ("KafkaSource", ("spec", "delivery", "retries"), 5, "retries"),
        ("PingSource", ("spec", "jsonData"), "{}", "jsonData"),
        ("HTTPRoute", ("spec", "rules"), [{"matches": [{"method": "FETCH"}]}], "FETCH"),
        ("NetworkPolicy", ("spec", "podSelectors"), {}, "podSelectors"),
        ("Deployment", ("spec", "replicas"), "two", "not of type"),
    ],
)
def test_what_a_server_would_refuse_is_a_fault(kind: str, path: tuple[str, ...], value: object, said: str) -> None:
    manifest = next(
        one for one in manifests() if one["kind"] == kind and not (kind == "Service" and one["apiVersion"] == "v1")
    )
    place = manifest
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value

    assert any(said in fault for fault in faults(manifest)), faults(manifest)
