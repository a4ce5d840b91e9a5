"""Locations are opened once and listed in pages."""

import json

from functions.inventory.create_location import create_location
from functions.inventory.list_locations import list_locations
from tests.conftest import Ask

AS_ADMIN = ("admin",)


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


async def test_only_admins_see_them(ask: Ask) -> None:
    assert (await ask(list_locations, "/v1/locations", roles=("customer",))).status == 403
    assert (await ask(create_location, "/v1/locations", {"id": "a", "name": "a"}, roles=("service",))).status == 403
