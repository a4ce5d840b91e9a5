"""Locations are opened once, shown, listed in pages, and changed on the version that was read."""

import json
from typing import Any

import pytest

from functions.inventory.create_location import create_location
from functions.inventory.get_location import get_location
from functions.inventory.hold_stock import hold_stock
from functions.inventory.list_locations import list_locations
from functions.inventory.update_location import update_location
from shared.inventory.events import HoldRejected, StockHeld
from shared.runtime.answers import Answer
from tests.conftest import Ask, Books, Run
from tests.functions.inventory.conftest import OTHER, Stocked, hold

AS_ADMIN = ("admin",)
DOCK = {"lines": ["1 Dock St"], "city": "Leeds", "region": "Yorks", "postcode": "LS1", "country": "GB"}


def said(answer: Answer) -> Any:
    return json.loads(answer.body)


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer
    return answer.status, said(answer)["type"].rpartition(":")[2]


@pytest.fixture
async def leeds(ask: Ask) -> dict[str, Any]:
    body = {"id": "LEEDS", "name": "Leeds", "address": DOCK, "ships_to": ["GB", "IE"]}
    created: dict[str, Any] = said(await ask(create_location, "/v1/locations", body, roles=AS_ADMIN))
    return created


async def change(ask: Ask, patch: Any, version: int | None = 1, location: str = "LEEDS", **headers: str) -> Answer:
    headers |= {} if version is None else {"if_match": f'"{version}"'}
    return await ask(update_location, f"/v1/locations/{location}", patch, roles=AS_ADMIN, **headers)


async def test_a_location_is_opened_once(ask: Ask) -> None:
    body = {"id": "LON", "name": "London"}
    created = await ask(create_location, "/v1/locations", body, roles=AS_ADMIN)
    again = await ask(create_location, "/v1/locations", body, roles=AS_ADMIN)

    assert (created.status, json.loads(created.body)) == (
        201,
        {**body, "priority": 100, "open": True, "address": None, "ships_to": None, "version": 1},
    )
    assert (again.status, json.loads(again.body)["type"]) == (409, "urn:kn-shop:problem:location-exists")


async def test_locations_are_listed_in_pages(ask: Ask) -> None:
    for id in ("b", "c", "a"):
        await ask(create_location, "/v1/locations", {"id": id, "name": id}, roles=AS_ADMIN)
    first = json.loads((await ask(list_locations, "/v1/locations?limit=2", roles=AS_ADMIN)).body)
    second = json.loads(
        (await ask(list_locations, f"/v1/locations?limit=2&cursor={first['next_cursor']}", roles=AS_ADMIN)).body
    )

    assert [item["id"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


async def test_a_location_is_shown(ask: Ask, leeds: dict[str, Any]) -> None:
    shown = await ask(get_location, "/v1/locations/LEEDS", roles=AS_ADMIN)
    assert (said(shown), shown.headers["etag"]) == (leeds, '"1"')
    assert refusal(await ask(get_location, "/v1/locations/YORK", roles=AS_ADMIN)) == (404, "unknown-location")


async def test_what_is_said_is_changed_and_the_rest_stays(ask: Ask, leeds: dict[str, Any]) -> None:
    renamed = await change(ask, {"name": "Leeds, Dock Street", "priority": 7})
    assert said(renamed) == leeds | {"name": "Leeds, Dock Street", "priority": 7, "version": 2}
    assert renamed.headers["etag"] == '"2"'

    moved = said(await change(ask, {"address": {"lines": ["2 Dock St", "Gate 4"], "region": None}}, 2))
    assert moved["address"] == DOCK | {"lines": ["2 Dock St", "Gate 4"], "region": None}
    removed = said(await change(ask, {"address": None, "ships_to": None}, 3))
    assert (removed["address"], removed["ships_to"], removed["version"]) == (None, None, 4)
    whole = await change(ask, {"address": DOCK}, 4, content_type="application/merge-patch+json")
    assert said(whole)["address"] == DOCK
    assert said(await ask(get_location, "/v1/locations/LEEDS", roles=AS_ADMIN)) == said(whole)


async def test_a_patch_that_changes_nothing_makes_no_new_version(ask: Ask, leeds: dict[str, Any]) -> None:
    patches: list[dict[str, Any]] = [
        {},
        {"name": "Leeds"},
        {"address": {}},
        {"address": {"city": "Leeds"}},
        {"ships_to": ["GB", "IE"]},
    ]
    for patch in patches:
        assert said(await change(ask, patch)) == leeds


async def test_on_the_version_that_was_read(ask: Ask, leeds: dict[str, Any]) -> None:
    assert refusal(await change(ask, {"name": "York"}, None)) == (428, "precondition-required")
    stale = await change(ask, {"name": "York"}, 2)
    assert (refusal(stale), said(stale)["current_version"]) == ((412, "stale-version"), 1)
    assert refusal(await change(ask, {"name": "York"}, location="YORK")) == (404, "unknown-location")
    assert said(await ask(get_location, "/v1/locations/LEEDS", roles=AS_ADMIN)) == leeds


BAD = [
    ({"name": None}, "/name"),
    ({"name": " "}, "/name"),
    ({"name": "n" * 201}, "/name"),
    ({"name": "a\0b"}, ""),
    ({"priority": None}, "/priority"),
    ({"priority": -1}, "/priority"),
    ({"priority": 1.5}, "/priority"),
    ({"priority": "1"}, "/priority"),
    ({"priority": 10**30}, "/priority"),
    ({"ships_to": []}, "/ships_to"),
    ({"ships_to": ["gb"]}, "/ships_to/0"),
    ({"ships_to": "GB"}, "/ships_to"),
    ({"address": []}, "/address"),
    ({"address": {"city": ""}}, "/address/city"),
    ({"address": {"city": None}}, "/address/city"),
    ({"address": {"lines": []}}, "/address/lines"),
    ({"address": {"country": None}}, "/address/country"),
    ({"address": {"country": "UKX"}}, "/address/country"),
    ({"address": {"street": "x"}}, "/address/street"),
    ({"open": False}, "/open"),
    ({"version": 5}, "/version"),
    ({"id": "YORK"}, "/id"),
    ({"expected_version": 1}, None),
]


@pytest.mark.parametrize(("patch", "pointer"), BAD, ids=str)
async def test_what_is_no_change(ask: Ask, leeds: dict[str, Any], patch: Any, pointer: str | None) -> None:
    answer = await change(ask, patch)
    if pointer is None:
        assert said(answer) == leeds, "the version is If-Match's"
        return
    assert refusal(answer) == (422, "validation-failed")
    assert pointer in [error["pointer"] for error in said(answer)["errors"]]


async def test_an_address_is_whole_or_none(ask: Ask) -> None:
    await ask(create_location, "/v1/locations", {"id": "LEEDS", "name": "Leeds"}, roles=AS_ADMIN)
    answer = await change(ask, {"address": {"city": "Leeds", "lines": ["1"]}})
    assert (answer.status, [error["pointer"] for error in said(answer)["errors"]]) == (422, ["/address/country"])


async def test_a_location_serves_the_countries_it_ships_to_from_now_on(
    ask: Ask, run: Run, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=2)
    to_france = {"ship_to": "FR"}
    _, told = await run(hold_stock, hold(mug=1).model_copy(update=to_france))
    assert isinstance(told[0], StockHeld)

    before = await db.value("select count(*) from platform.outbox where topic = 'shop.stock'")
    assert (await change(ask, {"ships_to": ["GB"]}, location="LON")).status == 200
    _, told = await run(hold_stock, hold(OTHER, mug=1).model_copy(update=to_france))
    assert told == [HoldRejected(order_id=OTHER, shortages={"mug": 1})]
    assert await db.value("select count(*) from platform.outbox where topic = 'shop.stock'") == before, (
        "a status is of all countries"
    )


async def test_only_admins_see_them(ask: Ask) -> None:
    assert (await ask(list_locations, "/v1/locations", roles=("customer",))).status == 403
    assert (await ask(get_location, "/v1/locations/a", roles=("service",))).status == 403
    assert (await ask(create_location, "/v1/locations", {"id": "a", "name": "a"}, roles=("service",))).status == 403
    answer = await ask(update_location, "/v1/locations/a", {}, roles=("service",), if_match='"1"')
    assert answer.status == 403
