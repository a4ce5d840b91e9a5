"""What `kn` is shown of the shop on one machine: over HTTP, and by the real kn where it is there."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.kubernetes import PREFIX
from infra.local.kubernetes.selectors import NoSelector, by_fields, by_labels
from infra.manifests import ROOT
from infra.manifests.kubernetes import NAMESPACE
from shared.runtime.declare import Declaration, Http, OnEvent, Timer
from shared.runtime.settings import Settings
from tests.kubernetes import Shown, showing
from tests.processes import free_port

SERVICES = f"/apis/serving.knative.dev/v1/namespaces/{NAMESPACE}/services"
AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
async def shown(settings: Settings, tmp_path: Path) -> AsyncIterator[Shown]:
    async with showing(settings, tmp_path) as shown:
        yield shown


def readiness(found: Any) -> tuple[str, str]:
    return next(
        (one["status"], one.get("reason", "")) for one in found["status"]["conditions"] if one["type"] == "Ready"
    )


async def test_every_function_is_a_service_as_its_manifest_says(shown: Shown, declarations: list[Declaration]) -> None:
    listed = {one["metadata"]["name"]: one for one in (await shown.read(SERVICES))["items"]}

    assert listed.keys() == {declaration.service for declaration in declarations} | {"api"}
    for name, one in listed.items():
        manifest = yaml.safe_load((ROOT / f"knative/{NAMESPACE}/ksvc/{name}.yaml").read_text())
        assert one["metadata"].items() >= manifest["metadata"].items()
        assert one["spec"]["template"] == manifest["spec"]["template"]
        assert readiness(one) == ("True", "")
        assert [target["percent"] for target in one["status"]["traffic"]] == [100]


async def test_a_url_is_where_the_function_is_called_here(shown: Shown, declarations: list[Declaration]) -> None:
    urls = {one["metadata"]["name"]: one["status"].get("url") for one in (await shown.read(SERVICES))["items"]}

    assert urls["place-order"] == "http://shop.test/v1/orders"
    assert urls["api"] == "http://shop.test"
    for declaration in declarations:
        if isinstance(declaration.trigger, Http):
            path = declaration.trigger.path.replace("{", ":").replace("}", "")
            assert urls[declaration.service] == f"http://shop.test{path}"
        else:
            assert urls[declaration.service] is None


async def test_a_service_leads_to_its_revision_route_and_configuration(shown: Shown) -> None:
    service = await shown.read(f"{SERVICES}/place-order")
    base = SERVICES.removesuffix("services")
    revision = await shown.read(f"{base}revisions/{service['status']['latestReadyRevisionName']}")
    route = await shown.read(f"{base}routes/place-order")
    configuration = await shown.read(f"{base}configurations/place-order")

    assert revision["metadata"]["ownerReferences"][0]["uid"] == configuration["metadata"]["uid"]
    assert route["metadata"]["ownerReferences"][0]["uid"] == service["metadata"]["uid"]
    assert configuration["status"]["latestReadyRevisionName"] == revision["metadata"]["name"]
    assert route["status"]["url"] == service["status"]["url"]
    assert revision["status"]["actualReplicas"] == 2


async def test_triggers_are_the_sources(shown: Shown, declarations: list[Declaration]) -> None:
    definitions = await shown.read(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector=duck.knative.dev%2Fsource%3Dtrue"
    )
    found = {}
    for definition in definitions["items"]:
        spec = definition["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/namespaces/{NAMESPACE}/{spec['names']['plural']}"
        found[spec["names"]["kind"]] = {one["metadata"]["name"] for one in (await shown.read(path))["items"]}

    assert found == {
        "KafkaSource": {one.service for one in declarations if isinstance(one.trigger, OnEvent)},
        "PingSource": {one.service for one in declarations if isinstance(one.trigger, Timer)},
    }


async def test_every_emitted_event_has_a_type(shown: Shown, declarations: list[Declaration]) -> None:
    path = f"/apis/eventing.knative.dev/v1beta2/namespaces/{NAMESPACE}/eventtypes"
    listed = {one["spec"]["type"] for one in (await shown.read(path))["items"]}

    assert listed >= {event.type for declaration in declarations for event in declaration.emits}


async def test_what_the_dispatcher_calls_is_ready_when_it_is(shown: Shown) -> None:
    shown.dispatcher_ready = False
    listed = {one["metadata"]["name"]: one for one in (await shown.read(SERVICES))["items"]}

    assert readiness(listed["place-order"]) == ("True", "")
    assert readiness(listed["hold-stock"]) == ("False", "DispatcherNotReady")
    assert readiness(listed["expire-holds"]) == ("False", "DispatcherNotReady")
    shown.dispatcher_ready = True
    assert readiness(await shown.read(f"{SERVICES}/hold-stock")) == ("True", "")


async def test_without_a_database_nothing_is_ready(settings: Settings, tmp_path: Path) -> None:
    away = replace(settings, database_url=f"postgresql://nobody@127.0.0.1:{free_port()}/away")
    async with showing(away, tmp_path) as shown:
        listed = (await shown.read(SERVICES))["items"]

    assert {readiness(one) for one in listed} == {("False", "DatabaseUnusable")}
    assert {one["message"] for service in listed for one in service["status"]["conditions"]} == {
        "The database cannot be used."
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_is_refused_and_told_what_to_do(shown: Shown, method: str) -> None:
    status, answer = await shown.ask(f"{SERVICES}/place-order", method)

    assert (status, answer["kind"], answer["reason"], answer["code"]) == (405, "Status", "MethodNotAllowed", 405)
    assert "read only" in answer["message"]
    assert "make run" in answer["message"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{SERVICES}/no-such", 404),
        (f"{SERVICES}/%00", 404),
        (f"{SERVICES}/%ED%A0%80", 404),
        ("/apis/serving.knative.dev/v1/services/place-order", 404),
        ("/apis/apps/v1/deployments", 404),
        ("/api/v1/namespaces/shop/secrets", 404),
        ("/apis/a/b/c/d/e/f/g", 404),
        ("/nothing", 404),
        (f"{SERVICES}?labelSelector=%00", 400),
        (f"{SERVICES}?labelSelector=a%20in%20b", 400),
        (f"{SERVICES}?fieldSelector=spec.x%3D1", 400),
        (f"{SERVICES}?watch=true&timeoutSeconds={'9' * 5000}", 400),
        (f"{SERVICES}?watch=true&timeoutSeconds=soon", 400),
    ],
)
async def test_what_is_not_there_or_not_understood_is_a_status(shown: Shown, path: str, status: int) -> None:
    answered, document = await shown.ask(path)

    assert (answered, document["kind"], document["code"]) == (status, "Status", status)


async def test_lists_are_chosen_from(shown: Shown, declarations: list[Declaration]) -> None:
    async def names(query: str) -> set[str]:
        return {one["metadata"]["name"] for one in (await shown.read(SERVICES + query))["items"]}

    timers = {one.service for one in declarations if isinstance(one.trigger, Timer)}
    assert await names("?labelSelector=kn-shop%2Ftrigger%3Dtimer") == timers
    assert await names("?fieldSelector=metadata.name%3Dplace-order") == {"place-order"}
    elsewhere = await shown.read(SERVICES.replace(f"/{NAMESPACE}/", "/default/"))
    assert elsewhere["items"] == []
    everywhere = await shown.read("/apis/serving.knative.dev/v1/services")
    assert len(everywhere["items"]) == len(declarations) + 1


async def test_discovery_names_what_is_there(shown: Shown) -> None:
    for group in (await shown.read("/apis"))["groups"]:
        for version in group["versions"]:
            resources = (await shown.read(f"/apis/{version['groupVersion']}"))["resources"]
            assert resources
            for resource in resources:
                assert (await shown.ask(f"/apis/{version['groupVersion']}/{resource['name']}"))[0] == 200
            if version["groupVersion"].startswith("sources."):
                assert {tuple(resource["categories"]) for resource in resources} == {("all", "knative", "sources")}
    assert [one["name"] for one in (await shown.read("/api/v1"))["resources"]] == ["namespaces"]
    assert [one["metadata"]["name"] for one in (await shown.read("/api/v1/namespaces"))["items"]] == [NAMESPACE]
    assert "kn-shop" in (await shown.read("/version"))["gitVersion"]


async def test_a_table_has_a_cell_for_each_column(shown: Shown) -> None:
    answer = await shown.read(SERVICES, accept=AS_TABLE)

    assert answer["kind"] == "Table"
    names = [column["name"] for column in answer["columnDefinitions"]]
    assert names[:2] == ["Name", "URL"]
    assert all(len(row["cells"]) == len(names) for row in answer["rows"])
    assert [row["object"]["metadata"]["name"] for row in answer["rows"]] == [row["cells"][0] for row in answer["rows"]]


async def test_a_watch_tells_what_changes_and_ends_in_time(shown: Shown) -> None:
    one = "fieldSelector=metadata.name%3Dhold-stock"
    path = f"{shown.url}{PREFIX}{SERVICES}?watch=true&timeoutSeconds=4&{one}"
    async with shown.session.get(path) as stream:
        first = json.loads(await stream.content.readline())
        shown.dispatcher_ready = False
        second = json.loads(await stream.content.readline())
        rest = await stream.content.read()

    assert (first["type"], readiness(first["object"])[0]) == ("ADDED", "True")
    assert (second["type"], readiness(second["object"])[0]) == ("MODIFIED", "False")
    assert rest == b""


async def test_a_watch_goes_on_from_a_version(shown: Shown) -> None:
    version = (await shown.read(f"{SERVICES}/hold-stock"))["metadata"]["resourceVersion"]
    query = f"?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dhold-stock&resourceVersion={version}"
    async with shown.session.get(shown.url + PREFIX + SERVICES + query) as stream:
        assert await stream.content.read() == b""
    shown.dispatcher_ready = False
    async with shown.session.get(shown.url + PREFIX + SERVICES + query) as stream:
        assert json.loads(await stream.content.readline())["type"] == "MODIFIED"


def test_label_selectors() -> None:
    def chosen(selector: str, **labels: str) -> bool:
        return by_labels(selector)({"metadata": {"labels": labels}})

    assert chosen("")
    assert chosen("a=1,b!=2,c in (3,4),d notin (5),e,!f", a="1", c="4", e="")
    for broken in ({"a": "2"}, {"b": "2"}, {"c": "5"}, {"d": "5"}, {"f": ""}):
        assert not chosen("a=1,b!=2,c in (3,4),d notin (5),e,!f", **({"a": "1", "c": "4", "e": ""} | broken))
    for nonsense in ("=", "a=(b)", "a in b", "!a=b", "a,,b", "a" + " " * 60_000 + "b"):
        with pytest.raises(NoSelector):
            by_labels(nonsense)
    with pytest.raises(NoSelector):
        by_fields("metadata.uid=1")


@pytest.mark.tools("kn")
async def test_kn_lists_and_describes(shown: Shown, declarations: list[Declaration]) -> None:
    async def first_column(*arguments: str) -> set[str]:
        code, told, said = await shown.kn(*arguments, "--no-headers")
        assert code == 0, said
        return {line.split()[0] for line in told.splitlines()}

    services = {one.service for one in declarations} | {"api"}
    assert await first_column("service", "list") == services
    assert await first_column("route", "list") == services
    assert await first_column("revision", "list") == {f"{name}-00001" for name in services}
    triggered = {one.service for one in declarations if not isinstance(one.trigger, Http)}
    assert await first_column("source", "list") == triggered
    assert await first_column("source", "ping", "list") == {
        one.service for one in declarations if isinstance(one.trigger, Timer)
    }
    assert "shop.orders.order.created.v1" in await first_column("eventtype", "list")

    code, told, said = await shown.kn("service", "describe", "place-order", "--verbose")
    assert code == 0, said
    for expected in ("http://shop.test/v1/orders", "kn-shop/route", "100%", "@latest (place-order-00001)", "++ Ready"):
        assert expected in told
    for described in (("route", "describe", "place-order"), ("revision", "describe", "place-order-00001")):
        code, told, said = await shown.kn(*described)
        assert (code, "place-order" in told) == (0, True), said


@pytest.mark.tools("kn")
@pytest.mark.parametrize("kind", ["broker", "trigger", "channel", "subscription", "domain"])
async def test_kn_finds_none_of_what_the_shop_does_not_use(shown: Shown, kind: str) -> None:
    code, told, said = await shown.kn(kind, "list")

    assert (code, said) == (0, "")
    assert "No " in told


@pytest.mark.tools("kn")
async def test_kn_shows_what_is_not_ready_and_waits_for_it(shown: Shown) -> None:
    shown.dispatcher_ready = False
    _, told, _ = await shown.kn("service", "list", "hold-stock")
    assert "DispatcherNotReady" in told
    waiting = asyncio.create_task(
        shown.kn("service", "wait", "hold-stock", "--wait-timeout", "30", "--wait-window", "20")
    )
    await asyncio.sleep(2)
    assert not waiting.done()
    shown.dispatcher_ready = True

    code, _, said = await waiting
    assert code == 0, said


@pytest.mark.tools("kn")
@pytest.mark.parametrize(
    "arguments",
    [
        ("service", "create", "mine", "--image", "dev.local/mine:v1", "--no-wait"),
        ("service", "update", "place-order", "--env", "A=b", "--no-wait"),
        ("service", "delete", "place-order", "--no-wait"),
    ],
)
async def test_kn_is_told_that_it_may_not_write(shown: Shown, arguments: tuple[str, ...]) -> None:
    code, _, said = await shown.kn(*arguments)

    assert code == 1
    assert "read only" in said
