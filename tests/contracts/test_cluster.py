"""A real API server takes every manifest as it is: its schemas and Knative's own webhooks have the word."""

import json
import subprocess
from typing import Any

import pytest
import yaml

from infra.manifests import ROOT

DIRECTORIES = ("knative", "knative/shop/ksvc", "knative/workloads", "triggers", "knative/routes", "knative/eventtypes")

pytestmark = pytest.mark.tools("cluster")


def manifests() -> list[Any]:
    files = [file for directory in DIRECTORIES for file in sorted((ROOT / directory).glob("*.yaml"))]
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]


def kubectl(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", *arguments], input=given, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def kinds() -> set[str]:
    listed = kubectl("api-resources", "--no-headers").stdout
    return {line.split()[-1] for line in listed.splitlines()}


def test_every_manifest_is_admitted(kinds: set[str]) -> None:
    """In the namespace `default`, since a dry run makes none; kinds that the cluster lacks are left out."""
    there = [one for one in manifests() if one["kind"] in kinds and one["kind"] != "Namespace"]
    for one in there:
        one["metadata"]["namespace"] = "default"
    done = kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", given="\n---\n".join(map(json.dumps, there))
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(there)
    assert {"Service", "Deployment", "PingSource"} <= {one["kind"] for one in there}
