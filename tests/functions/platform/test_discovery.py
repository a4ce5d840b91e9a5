"""Which functions there are, and how they are: asked of the API that `make run` serves, and watched by the timer."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from functions.platform.get_function import get_function
from functions.platform.list_functions import list_functions
from functions.platform.watch_functions import watch_functions
from infra.local.kubernetes import PREFIX
from shared.platform.events import FunctionDeregistered, FunctionRecovered, FunctionRegistered, FunctionUnhealthy
from shared.runtime.declare import Declaration, Http
from shared.runtime.serve import Runtime
from shared.runtime.settings import Settings
from tests.conftest import NOW, Ask, Books, Run
from tests.kubernetes import Shown, showing
from tests.receivers import refused_port


@pytest.fixture
async def shown(settings: Settings, tmp_path: Path) -> AsyncIterator[Shown]:
    async with showing(settings, tmp_path) as shown:
        yield shown


@pytest.fixture
async def runtime(settings: Settings, shown: Shown) -> AsyncIterator[Runtime]:
    running = Runtime.start(replace(settings, kubernetes_url=f"{shown.url}{PREFIX}"))
    yield running
    await running.stop()


async def listed(ask: Ask, query: str = "") -> dict[str, Any]:
    answer = await ask(list_functions, f"/v1/functions{query}", roles=("operator",))
    assert answer.status == 200, answer.body
    return {one["name"]: one for one in json.loads(answer.body)["items"]}


async def look(run: Run, after_s: float = 0) -> Counter[type]:
    """What one look tells, by type."""
    _, emitted = await run(watch_functions, now=NOW + timedelta(seconds=after_s))
    return Counter(type(event) for event in emitted)


async def test_every_function_is_found(ask: Ask, declarations: list[Declaration]) -> None:
    found = await listed(ask)

    assert list(found) == [declaration.service for declaration in declarations]
    assert all(one["ready"] and one["replicas"] for one in found.values())
    order = found["place-order"]
    assert (order["domain"], order["trigger"], order["route"]) == ("orders", "http", "POST /v1/orders")
    assert order["url"].endswith("/v1/orders")
    assert order["traffic"] == [{"revision": order["revision"], "percent": 100}]
    assert (order["min_scale"], order["max_scale"]) == (1, 5)
    assert "customer waits" in order["scale_reason"]
    assert "shop.inventory.hold.v1" in order["emits"]
    assert found["hold-stock"]["consumes"]
    assert found["hold-stock"]["url"] is None


async def test_they_are_found_by_what_they_are(ask: Ask, declarations: list[Declaration]) -> None:
    timers = await listed(ask, "?domain=payments&trigger=timer")

    assert timers.keys() == {
        one.service for one in declarations if one.domain == "payments" and one.trigger.__class__.__name__ == "Timer"
    }
    label = "label=app.kubernetes.io/name=place-order"
    assert list(await listed(ask, f"?{label}")) == ["place-order"]
    assert await listed(ask, f"?{label}&label=kn-shop/domain=catalog") == {}
    assert await listed(ask, "?domain=nowhere") == {}


async def test_only_the_healthy_are_given_to_whom_asks_for_them(
    ask: Ask, shown: Shown, declarations: list[Declaration]
) -> None:
    by_http = {one.service for one in declarations if isinstance(one.trigger, Http)}
    shown.dispatcher_ready = False

    assert (await listed(ask, "?healthy=true")).keys() == by_http
    ill = await listed(ask, "?healthy=false")
    assert ill.keys() == {one.service for one in declarations} - by_http
    assert {(one["ready"], one["reason"]) for one in ill.values()} == {(False, "DispatcherNotReady")}


async def test_one_is_found_by_its_name(ask: Ask) -> None:
    answer = await ask(get_function, "/v1/functions/place-order", roles=("service",))
    assert (answer.status, json.loads(answer.body)["name"]) == (200, "place-order")
    assert (await ask(get_function, "/v1/functions/api", roles=("admin",))).status == 404, "that is the gateway"
    assert (await ask(get_function, "/v1/functions/buy-nothing", roles=("admin",))).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "?domain=Orders",
        "?trigger=cron",
        "?label=a",
        "?label=a=b,c=d",
        "?label=a%20in%20(b)=c",
        "?label=a=-x",
        "?label=a/b/c=x",
        "?label=Foo/b=x",
        "?label=a/=x",
        "?healthy=maybe",
        "?x=%00",
    ],
)
async def test_bad_input_is_named(ask: Ask, path: str) -> None:
    answer = await ask(list_functions, f"/v1/functions{path}", roles=("operator",))
    assert answer.status == 422
    assert (await ask(get_function, "/v1/functions/A_B", roles=("operator",))).status == 422


async def test_functions_are_shown_to_those_who_run_the_shop(ask: Ask) -> None:
    assert (await ask(list_functions, "/v1/functions", roles=("customer",))).status == 403
    assert (await ask(get_function, "/v1/functions/place-order")).status == 401


@pytest.mark.parametrize("url", ["", "refused", "wrong"])
async def test_a_registry_that_is_away_is_said_to_be(
    url: str, ask: Ask, run: Run, runtime: Runtime, shown: Shown
) -> None:
    elsewhere = {"": "", "refused": f"http://127.0.0.1:{refused_port()}", "wrong": f"{shown.url}/nowhere"}
    runtime.egress.settings = replace(runtime.settings, kubernetes_url=elsewhere[url])
    answer = await ask(list_functions, "/v1/functions", roles=("operator",))

    assert (answer.status, json.loads(answer.body)["type"]) == (503, "urn:kn-shop:problem:discovery-unavailable")
    assert json.loads(answer.body)["detail"]
    assert await look(run) == Counter()
    assert REGISTRY.get_sample_value("shop_functions_listed") == 0


async def test_each_function_is_registered_once(run: Run, declarations: list[Declaration], db: Books) -> None:
    assert await look(run) == {FunctionRegistered: len(declarations)}
    assert await look(run, 15) == Counter()
    assert await db.value("select count(*) from platform.functions where status = 'healthy'") == len(declarations)


async def test_one_that_is_taken_off_is_deregistered(run: Run, db: Books) -> None:
    await look(run)
    await db.run(
        "insert into platform.functions select 'sell-ice', domain, trigger, revision, registered_at, seen_at, ready,"
        " reason, message, held_since, changes, status, since from platform.functions limit 1"
    )

    assert await look(run, 15) == {FunctionDeregistered: 1}
    assert await look(run, 30) == Counter()


async def test_what_fails_is_told_once_and_so_is_its_recovery(run: Run, shown: Shown, db: Books) -> None:
    await look(run)
    behind = await db.value("select count(*) from platform.functions where trigger <> 'http'")
    shown.dispatcher_ready = False
    assert await look(run, 15) == Counter(), "one look says little"
    assert await look(run, 45) == {FunctionUnhealthy: behind}
    assert await look(run, 60) == Counter()
    row = await db.one("select status, reason, since from platform.functions where name = 'hold-stock'")
    assert (row.status, row.reason, row.since) == ("failing", "DispatcherNotReady", NOW + timedelta(seconds=15))
    assert REGISTRY.get_sample_value("shop_function_unhealthy", {"target": "hold-stock"}) == 1
    assert REGISTRY.get_sample_value("shop_functions", {"status": "failing"}) == behind

    shown.dispatcher_ready = True
    assert await look(run, 75) == Counter(), "it may go again"
    assert await look(run, 135) == {FunctionRecovered: behind}
    assert REGISTRY.get_sample_value("shop_function_unhealthy", {"target": "hold-stock"}) == 0
    assert await look(run, 150) == Counter()


async def test_what_comes_and_goes_flaps(run: Run, shown: Shown) -> None:
    await look(run)
    told: list[tuple[type, str | None, datetime | None]] = []
    for n in range(1, 6):
        shown.dispatcher_ready = n % 2 == 0
        _, emitted = await run(watch_functions, now=NOW + timedelta(seconds=15 * n))
        told += [
            (type(one), one.kind, one.since)
            for one in emitted
            if isinstance(one, FunctionUnhealthy | FunctionRecovered) and one.name == "hold-stock"
        ]

    assert told == [(FunctionUnhealthy, "flapping", NOW + timedelta(seconds=15))]
