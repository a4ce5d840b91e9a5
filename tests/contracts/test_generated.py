"""What is committed is what the declarations say."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.manifests import OWNED, ROOT
from infra.manifests.__main__ import generated, stale
from infra.manifests.kubernetes import NAMESPACE
from shared.runtime.declare import Declaration, Http, OnEvent, Timer
from shared.runtime.events import PARTITIONS
from shared.runtime.settings import Settings

LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
SERVICE_SPEC = {
    "serviceAccountName",
    "automountServiceAccountToken",
    "containerConcurrency",
    "timeoutSeconds",
    "containers",
    "volumes",
}
"""Of a revision's fields those in use; most others are dropped in silence or refused."""
SOURCE_SPEC = {
    "consumerGroup",
    "bootstrapServers",
    "topics",
    "consumers",
    "initialOffset",
    "ordering",
    "delivery",
    "sink",
}
DELIVERY = {"retry", "backoffPolicy", "backoffDelay", "timeout", "deadLetterSink"}


def read(directory: str) -> list[dict[str, Any]]:
    files = sorted((ROOT / directory).glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def test_committed_files_are_what_the_declarations_say() -> None:
    files = generated()

    assert stale(files) == []
    assert [path for path, text in files.items() if (ROOT / path).read_text() != text] == []


def test_a_file_says_what_it_is_generated_from() -> None:
    for path in (path for directory in OWNED for path in (ROOT / directory).glob("*.yaml")):
        assert path.read_text().startswith("# Generated from "), path


def test_each_function_is_a_service_of_its_own(declarations: list[Declaration]) -> None:
    services = {manifest["metadata"]["name"]: manifest for manifest in read("knative/shop/ksvc")}

    assert services.keys() - {"api"} == {declaration.service for declaration in declarations}
    assert all(LABEL.fullmatch(name) for name in services)


def test_only_the_gateway_can_be_reached_from_outside() -> None:
    for manifest in read("knative/shop/ksvc"):
        inside = manifest["metadata"]["labels"].get("networking.knative.dev/visibility") == "cluster-local"
        assert inside == (manifest["metadata"]["name"] != "api")


def test_services_use_fields_that_knative_keeps() -> None:
    for manifest in read("knative/shop/ksvc"):
        template = manifest["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert template["spec"].keys() <= SERVICE_SPEC
        assert not [name for name in manifest["metadata"]["annotations"] if name.startswith("autoscaling.")]
        assert not {"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"} & {one["name"] for one in container["env"]}
        assert all(isinstance(one.get("value", ""), str) for one in container["env"])
        assert container["readinessProbe"].keys() == {"httpGet", "timeoutSeconds"}
        assert Settings().stream_timeout_s < template["spec"]["timeoutSeconds"] <= 300
        least, most = (
            int(template["metadata"]["annotations"][f"autoscaling.knative.dev/{end}-scale"]) for end in ("min", "max")
        )
        assert 0 <= least <= most > 0


def test_containers_are_restricted() -> None:
    for manifest in read("knative/shop/ksvc"):
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        context = container["securityContext"]
        assert context["runAsNonRoot"]
        assert context["readOnlyRootFilesystem"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_only_those_who_discover_functions_have_a_token_of_the_cluster(declarations: list[Declaration]) -> None:
    """A Service may refuse its account's token, and must not say more of it."""
    discovering = {declaration.service for declaration in declarations if declaration.discovers}
    for manifest in read("knative/shop/ksvc"):
        spec = manifest["spec"]["template"]["spec"]
        if manifest["metadata"]["name"] in discovering:
            assert (spec["serviceAccountName"], "automountServiceAccountToken" in spec) == ("discovery", False)
        else:
            assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("function", False)
    assert discovering == {"get-function", "list-functions", "watch-functions"}
    accounts = {one["metadata"]["name"]: one for one in read("knative") if one["kind"] == "ServiceAccount"}
    assert {name for name, one in accounts.items() if one["automountServiceAccountToken"]} == {"discovery"}
    (role,) = (one for one in read("knative") if one["kind"] == "Role")
    assert role["rules"] == [
        {"apiGroups": ["serving.knative.dev"], "resources": ["services", "revisions"], "verbs": ["list"]}
    ]


def test_each_function_has_its_own_database_login(declarations: list[Declaration]) -> None:
    logins = {}
    for manifest in read("knative/shop/ksvc"):
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]:
            if variable["name"] == "DATABASE_URL":
                logins[manifest["metadata"]["name"]] = variable["valueFrom"]["secretKeyRef"]["name"]

    assert logins == {declaration.service: f"db-{declaration.service}" for declaration in declarations}


def test_each_event_function_is_fed_in_order_and_loses_nothing(declarations: list[Declaration]) -> None:
    sources = {one["metadata"]["name"]: one["spec"] for one in read("triggers") if one["kind"] == "KafkaSource"}
    sinks = {one["metadata"]["name"]: one["spec"] for one in read("triggers") if one["kind"] == "KafkaSink"}
    consumers = {one.service for one in declarations if isinstance(one.trigger, OnEvent)}

    assert sources.keys() == consumers
    for name, spec in sources.items():
        assert spec.keys() <= SOURCE_SPEC
        assert spec["delivery"].keys() == DELIVERY
        assert spec["initialOffset"] == "earliest"
        assert spec["ordering"] == "ordered"
        assert spec["consumerGroup"] == name
        assert f"shop.retry.{name}" in spec["topics"]
        assert re.fullmatch(r"PT\d+(\.\d+)?S", spec["delivery"]["backoffDelay"])
        assert re.fullmatch(r"PT\d+S", spec["delivery"]["timeout"])
        assert spec["delivery"]["retry"] > 5, "the function parks at its fifth failure, before the source gives up"
        sink = spec["delivery"]["deadLetterSink"]["ref"]
        assert sinks[sink["name"]]["topic"] == f"shop.dead.{name}"
        assert sinks[sink["name"]]["contentMode"] == "binary"


def test_each_timer_has_its_ping(declarations: list[Declaration]) -> None:
    pings = {one["metadata"]["name"]: one["spec"] for one in read("triggers") if one["kind"] == "PingSource"}

    assert {name: spec["schedule"] for name, spec in pings.items()} == {
        one.service: one.trigger.schedule for one in declarations if isinstance(one.trigger, Timer)
    }
    for spec in pings.values():
        assert json.loads(spec["data"]) == {}


def test_every_topic_that_is_used_is_listed(declarations: list[Declaration]) -> None:
    (config,) = (one for one in read("triggers") if one["kind"] == "ConfigMap")
    listed = {topic["name"]: topic for topic in yaml.safe_load(config["data"]["topics.yaml"])}
    used = {event.topic for one in declarations for event in one.emits}
    used |= {topic for one in read("triggers") if one["kind"] == "KafkaSource" for topic in one["spec"]["topics"]}
    used |= {one["spec"]["topic"] for one in read("triggers") if one["kind"] == "KafkaSink"}

    assert used <= listed.keys()
    assert {topic["partitions"] for topic in listed.values()} == {PARTITIONS}


def test_every_route_leads_to_its_function(declarations: list[Declaration]) -> None:
    declared = {
        (one.trigger.method, one.trigger.path, one.service) for one in declarations if isinstance(one.trigger, Http)
    }
    table = json.loads((ROOT / "infra/gateway/routes.json").read_text())
    routes = {one["metadata"]["name"]: one["spec"]["rules"][0] for one in read("knative/routes")}

    assert {(route["method"], route["path"], route["service"]) for route in table} == declared
    assert routes.keys() == {service for _, _, service in declared}
    for method, path, service in declared:
        value = path.replace("{", "<").replace("}", ">")
        concrete = re.sub(r"<\w+>", "x1", value)
        for match in routes[service]["matches"]:
            assert re.fullmatch(match["path"]["value"], concrete)
        assert method in {match["method"] for match in routes[service]["matches"]}


@pytest.mark.tools("kn")
def test_kn_lists_the_services_without_a_cluster(declarations: list[Declaration], tmp_path: Path) -> None:
    kn = shutil.which("kn") or "kn"
    command = [kn, "service", "list", "--target", str(ROOT / "knative"), "-n", NAMESPACE, "--no-headers"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": "", "HOME": str(tmp_path)})

    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert listed == {declaration.service for declaration in declarations} | {"api"}
