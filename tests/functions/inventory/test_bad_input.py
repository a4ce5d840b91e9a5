"""What is no quantity, no SKU or no open location is a clear problem that names it, and changes nothing."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.inventory.adjust_stock import adjust_stock
from functions.inventory.check_availability import check_availability
from functions.inventory.check_stock import check_stock
from functions.inventory.create_location import create_location
from functions.inventory.get_stock import get_stock
from functions.inventory.list_ledger import list_ledger
from functions.inventory.set_item_policy import set_item_policy
from functions.inventory.set_level_policy import set_level_policy
from functions.inventory.set_stock_level import set_stock_level
from tests.conftest import Ask, Books
from tests.functions.inventory.conftest import Stocked

AS_ADMIN = ("admin",)
LEVEL, ADJUSTMENTS = "/v1/stock/mug/LON", "/v1/stock/mug/LON/adjustments"
POLICY, ITEM = "/v1/stock/mug/LON/policy", "/v1/items/mug"

NO_INTEGER: list[Any] = [1.5, 1e300, True, "3", "", [], {}, float("nan"), 10**30, -(10**30), 2**63]

QUANTITIES: list[tuple[Callable[..., Any], str, str, list[Any]]] = [
    (set_stock_level, LEVEL, "on_hand", [*NO_INTEGER, None, -1, 10**9 + 1]),
    (adjust_stock, ADJUSTMENTS, "delta", [*NO_INTEGER, None, 0, 10**9 + 1, -(10**9) - 1]),
    (set_level_policy, POLICY, "safety_stock", [*NO_INTEGER, -1, 10**9 + 1]),
    (set_level_policy, POLICY, "backorder_limit", [*NO_INTEGER, -1, 10**9 + 1]),
    (set_level_policy, POLICY, "low_at", [*NO_INTEGER, -1, 10**9 + 1]),
    (set_item_policy, ITEM, "low_at", [*NO_INTEGER, -1, 10**9 + 1]),
    (set_item_policy, ITEM, "tracked", [0, 1, "true", 1.0, []]),
    (create_location, "/v1/locations", "priority", [*NO_INTEGER, None, -1, 10**6 + 1]),
]
RIGHT: dict[Callable[..., Any], dict[str, Any]] = {
    set_stock_level: {"on_hand": 3},
    adjust_stock: {"delta": 3, "reason": "found"},
    set_level_policy: {},
    set_item_policy: {},
    create_location: {"id": "YORK", "name": "York"},
}
NAMED: list[tuple[Callable[..., Any], str, str]] = [
    (adjust_stock, ADJUSTMENTS, "note"),
    (adjust_stock, ADJUSTMENTS, "reason"),
    (set_stock_level, LEVEL, "note"),
    (set_stock_level, LEVEL, "reason"),
    (create_location, "/v1/locations", "name"),
    (create_location, "/v1/locations", "id"),
    (create_location, "/v1/locations", "address"),
    (create_location, "/v1/locations", "ships_to"),
]
TEXTS = ["a\x00b", "\ud800", "x" * 2_001, 5, ["x"]]


@pytest.fixture(autouse=True)
async def unchanged(db: Books, stocked: Stocked) -> Any:
    await stocked("mug", on_hand=5)
    before = await db.all("select on_hand, safety_stock, backorder_limit, low_at, version from inventory.stock")
    yield
    assert await db.all("select on_hand, safety_stock, backorder_limit, low_at, version from inventory.stock") == before
    assert await db.value("select count(*) from inventory.ledger") == 1
    assert await db.value("select count(*) from inventory.locations") == 2


def sent(body: dict[str, Any]) -> bytes:
    """As JSON that escapes what is no text, and as bare NaN, which is no JSON."""
    return json.dumps(body).encode()


@pytest.mark.parametrize(("function", "path", "field", "wrongs"), QUANTITIES)
async def test_what_is_no_quantity(
    ask: Ask, function: Callable[..., Any], path: str, field: str, wrongs: list[Any]
) -> None:
    for wrong in wrongs:
        body = sent({**RIGHT[function], field: wrong})
        answer = await ask(function, path, body, roles=AS_ADMIN, idempotency_key="k")
        problem = json.loads(answer.body)

        assert answer.headers["content-type"] == "application/problem+json", wrong
        if b"NaN" in body:
            assert (answer.status, problem["type"]) == (400, "urn:kn-shop:problem:malformed-body")
        else:
            assert (answer.status, problem["errors"][0]["pointer"]) == (422, f"/{field}"), wrong
            assert problem["errors"][0]["detail"]


async def test_what_is_no_text(ask: Ask) -> None:
    for (function, path, field), wrong in itertools.product(NAMED, TEXTS):
        body = sent({**RIGHT[function], field: wrong})
        answer = await ask(function, path, body, roles=AS_ADMIN, idempotency_key="k")
        assert answer.status in (400, 422), (path, field, wrong)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_no_moment(ask: Ask) -> None:
    for at in ("yesterday", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", -(10**30), 1e300, True):
        body = {"delta": 1, "reason": "found", "at": at}
        assert (await ask(adjust_stock, ADJUSTMENTS, body, roles=AS_ADMIN, idempotency_key="k")).status == 422, at


CHANGES: list[tuple[Callable[..., Any], str]] = [
    (set_stock_level, ""),
    (adjust_stock, "/adjustments"),
    (set_level_policy, "/policy"),
]


async def test_only_an_open_location_is_changed(ask: Ask, db: Books) -> None:
    await db.run("update inventory.locations set closed_at = now() where id = 'LEEDS'")
    for (function, end), location in itertools.product(CHANGES, ("OSLO", "LEEDS")):
        path = f"/v1/stock/mug/{location}{end}"
        answer = await ask(function, path, RIGHT[function], roles=AS_ADMIN, idempotency_key="k")
        problem = json.loads(answer.body)
        assert (answer.status, problem["type"]) == (404, "urn:kn-shop:problem:unknown-location")
        assert problem["location"] == location


async def test_what_is_no_sku_or_location(ask: Ask) -> None:
    names = ("%20", "%00", "a%00b", "%ED%A0%80", "x" * 65, "-a", "%2F")
    for (function, end), name in itertools.product(CHANGES, names):
        for path in (f"/v1/stock/{name}/LON{end}", f"/v1/stock/mug/{name}{end}"):
            assert (await ask(function, path, RIGHT[function], roles=AS_ADMIN, idempotency_key="k")).status == 422, path


async def test_a_sku_nobody_has_heard_of(ask: Ask) -> None:
    answer = await ask(get_stock, "/v1/stock/hat", roles=AS_ADMIN)
    assert (answer.status, json.loads(answer.body)["type"]) == (404, "urn:kn-shop:problem:unknown-item")
    assert json.loads((await ask(check_stock, "/v1/stock?sku=hat", roles=AS_ADMIN)).body)["unknown"] == ["hat"]
    assert (await ask(check_availability, "/v1/availability?sku=hat")).status == 200
    assert (await ask(list_ledger, "/v1/stock/hat/ledger", roles=AS_ADMIN)).status in (200, 404)


async def test_what_is_no_body(ask: Ask) -> None:
    for body in (b"", b"[]", b"3", b"null", b"{", b'{"on_hand": 3', b"\xff\xfe", b'{"on_hand": 3, "x": 1}'):
        assert (await ask(set_stock_level, LEVEL, body, roles=AS_ADMIN)).status in (400, 422), body
