"""A location ends without losing a unit or a promise, and begins again as it was; what it means for SKUs is told."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from functions.inventory.adjust_stock import adjust_stock
from functions.inventory.close_location import CloseLocation, close_location
from functions.inventory.commit_hold import commit_hold
from functions.inventory.create_transfer import create_transfer
from functions.inventory.get_location import get_location
from functions.inventory.get_stock import get_stock
from functions.inventory.get_transfer import get_transfer
from functions.inventory.hold_stock import hold_stock
from functions.inventory.import_stock import ImportStock, import_stock
from functions.inventory.open_location import OpenLocation, open_location
from functions.inventory.release_hold import release_hold
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.set_stock_level import set_stock_level
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import CommitHold, HoldRejected, HoldShipped, ReleaseHold, ShipHold, StockHeld
from shared.inventory.queries import STATUS_OF
from shared.platform.invariants import CHECKS
from shared.runtime import metrics
from shared.runtime.answers import Answer
from shared.runtime.db import compiled
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold, level

AS_ADMIN = ("admin",)
Asked = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
async def closings_agree(db: Books) -> AsyncIterator[None]:
    yield
    names = ("transfers_equal_ledger", "closed_locations_give_nothing", "stock_status_is_told")
    for check in (check for check in CHECKS if check.name in names):
        assert (check.name, await db.all(check.sql.replace("%", "%%"))) == (check.name, [])


def said(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer
    return answer.status, json.loads(answer.body)["type"].rpartition(":")[2]


@pytest.fixture
def try_close(ask: Ask) -> Callable[..., Awaitable[Answer]]:
    async def try_close(location: str = "LON", **body: Any) -> Answer:
        return await ask(close_location, f"/v1/locations/{location}/closure", body or None, roles=AS_ADMIN)

    return try_close


@pytest.fixture
def close(try_close: Callable[..., Awaitable[Answer]]) -> Asked:
    async def close(location: str = "LON", move_to: str | None = None) -> Any:
        closed = said(await try_close(location, **({"move_to": move_to} if move_to else {})))
        assert closed.pop("location") == location
        return closed

    return close


@pytest.fixture
def reopen(ask: Ask) -> Asked:
    async def reopen(location: str = "LON") -> Any:
        return said(await ask(open_location, f"/v1/locations/{location}/opening", roles=AS_ADMIN))

    return reopen


@pytest.fixture
def available(ask: Ask) -> Asked:
    async def available(sku: str = "mug") -> tuple[str, int]:
        found = said(await ask(get_stock, f"/v1/stock/{sku}", roles=AS_ADMIN))
        return found["status"], found["available"]

    return available


CLOSED = {"moved": 0, "units": 0, "left": 0, "closed": True}


async def told(db: Books, sku: str = "mug") -> list[str]:
    rows = await db.all(
        "select type, convert_from(data, 'UTF8')::json as said from platform.outbox"
        " where topic = 'shop.stock' and key = %(sku)s order by sequence",
        sku=sku,
    )
    return [f"{row.type.split('.')[3]} {row.said.get('status', '')}" for row in rows]


async def test_an_empty_location_is_closed_and_opened(
    ask: Ask, close: Asked, reopen: Asked, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=3)
    await stocked("mug", on_hand=0)
    assert await close() == CLOSED
    shown = said(await ask(get_location, "/v1/locations/LON", roles=AS_ADMIN))
    assert (shown["open"], shown["version"]) == (False, 2)
    assert await close() == CLOSED, "again changes nothing"
    body = {"on_hand": 1}
    assert refusal(await ask(set_stock_level, "/v1/stock/mug/LON", body, roles=AS_ADMIN)) == (404, "unknown-location")
    assert refusal(await ask(set_stock_level, "/v1/stock/new/LON", body, roles=AS_ADMIN)) == (404, "unknown-location")

    assert await reopen() == {"location": "LON", "left": 0}
    shown = said(await ask(get_location, "/v1/locations/LON", roles=AS_ADMIN))
    assert (shown["open"], shown["version"]) == (True, 3)
    assert await reopen() == {"location": "LON", "left": 0}
    assert said(await ask(get_location, "/v1/locations/LON", roles=AS_ADMIN))["version"] == 3
    await stocked("mug", on_hand=1)


async def test_no_location_is_closed_over_its_goods(
    try_close: Callable[..., Awaitable[Answer]], run: Run, stocked: Stocked, available: Asked
) -> None:
    await stocked("mug", on_hand=5)
    await stocked("tea", on_hand=2)
    await run(hold_stock, hold(mug=1, tea=2))
    await run(commit_hold, CommitHold(order_id=ORDER))
    await run(hold_stock, hold(OTHER, mug=1))

    answer = await try_close()
    assert refusal(answer) == (409, "location-in-use")
    counts = {"location": "LON", "on_hand": 7, "held": 1, "committed": 3, "incoming": 0, "waiting": 0}
    assert counts.items() <= said(answer, 409).items()
    assert await available() == ("low", 3)


async def test_nor_over_what_is_on_its_way(
    ask: Ask, try_close: Callable[..., Awaitable[Answer]], stocked: Stocked
) -> None:
    await stocked("mug", "LEEDS", 1)
    body = {"destination": "LON", "lines": [{"sku": "mug", "quantity": 4}]}
    said(await ask(create_transfer, "/v1/transfers", body, roles=AS_ADMIN, idempotency_key="k"), 201)
    for move_to in ({}, {"move_to": "LEEDS"}):
        answer = await try_close(**move_to)
        assert (refusal(answer), said(answer, 409)["incoming"]) == ((409, "location-in-use"), 4)
    assert (await try_close("LEEDS", move_to="LON")).status == 200, "what leaves it binds nobody"


async def test_nor_over_promises_that_wait_for_goods(
    run: Run, close: Asked, try_close: Callable[..., Awaitable[Answer]], stocked: Stocked
) -> None:
    await stocked("mug", on_hand=1)
    await run(set_level_policy, SetLevelPolicy(sku="mug", location="LON", backorder_limit=9), caller=ADMIN)
    await run(hold_stock, hold(mug=3))

    answer = await try_close(move_to="LEEDS")
    assert (refusal(answer), said(answer, 409)["waiting"]) == ((409, "location-in-use"), 2)
    await run(release_hold, ReleaseHold(order_id=ORDER))
    assert await close(move_to="LEEDS") == {"moved": 1, "units": 1, "left": 0, "closed": True}


async def test_what_is_free_moves_and_what_is_promised_ships_from_there(
    ask: Ask, run: Run, close: Asked, reopen: Asked, stocked: Stocked, available: Asked, db: Books
) -> None:
    await stocked("mug", on_hand=10)
    await stocked("tea", on_hand=4)
    await stocked("tea", "LEEDS", 1)
    await run(set_level_policy, SetLevelPolicy(sku="tea", location="LON", safety_stock=2), caller=ADMIN)
    await run(hold_stock, hold(mug=3, tea=1))
    await run(commit_hold, CommitHold(order_id=ORDER))

    assert await close(move_to="LEEDS") == {"moved": 2, "units": 10, "left": 0, "closed": True}
    assert [await level(db, sku, at) for sku in ("mug", "tea") for at in ("LON", "LEEDS")] == [
        (3, 0, 3, 0), (7, 0, 0, 0), (1, 0, 1, 0), (4, 0, 0, 0),
    ]  # fmt: skip
    assert (await available(), await available("tea")) == (("in_stock", 7), ("low", 4))
    entries = await db.all("select * from inventory.ledger where transfer is not null order by id")
    assert [(entry.sku, entry.location, entry.delta, entry.reason) for entry in entries] == [
        ("mug", "LON", -7, "transfer_out"), ("mug", "LEEDS", 7, "transfer_in"),
        ("tea", "LON", -3, "transfer_out"), ("tea", "LEEDS", 3, "transfer_in"),
    ]  # fmt: skip
    (transfer,) = {entry.transfer for entry in entries}
    shown = said(await ask(get_transfer, f"/v1/transfers/{transfer}", roles=AS_ADMIN))
    assert (shown["status"], shown["origin"], shown["destination"]) == ("arrived", "LON", "LEEDS")
    assert [line["arrived"] for line in shown["lines"]] == [7, 3]

    _, emitted = await run(ship_hold, ShipHold(order_id=ORDER, part_id=OTHER))
    assert isinstance(emitted[0], HoldShipped)
    assert await level(db, "mug") == (0, 0, 0, 0)


async def test_what_is_given_back_there_can_be_moved_as_well(
    run: Run, close: Asked, reopen: Asked, stocked: Stocked, available: Asked, db: Books
) -> None:
    await stocked("mug", on_hand=3)
    await run(hold_stock, hold(mug=3))
    await close(move_to="LEEDS")
    assert await available() == ("out_of_stock", 0)
    await run(release_hold, ReleaseHold(order_id=ORDER))
    assert await available() == ("out_of_stock", 0), "the location gives nothing any more"

    assert await close(move_to="LEEDS") == {"moved": 1, "units": 3, "left": 0, "closed": True}
    assert await available() == ("low", 3)
    assert await level(db, "mug") == (0, 0, 0, 0)
    await reopen()
    assert await available() == ("low", 3)


async def test_what_a_location_no_longer_gives_is_told(
    run: Run, close: Asked, reopen: Asked, stocked: Stocked, available: Asked, db: Books
) -> None:
    await stocked("mug", on_hand=1)
    await run(hold_stock, hold(mug=1))
    await run(commit_hold, CommitHold(order_id=ORDER))
    policy = SetLevelPolicy(sku="mug", location="LON", backorder_limit=5, low_at=2)
    await run(set_level_policy, policy, caller=ADMIN)
    await run(ship_hold, ShipHold(order_id=ORDER, part_id=OTHER))
    assert await available() == ("backorder", 0)

    before = len(await told(db))
    assert await close() == CLOSED
    assert await available() == ("out_of_stock", 0)
    assert (await told(db))[before:] == ["depleted out_of_stock", "depleted out_of_stock"], "of the SKU and the level"
    _, emitted = await run(hold_stock, hold(OTHER, mug=1))
    assert emitted == [HoldRejected(order_id=OTHER, shortages={"mug": 1})]

    await reopen()
    assert await available() == ("backorder", 0)
    assert (await told(db))[before + 2 :] == ["replenished backorder", "replenished backorder"]


async def test_what_is_there_again_is_told(
    run: Run, close: Asked, reopen: Asked, stocked: Stocked, available: Asked, db: Books
) -> None:
    await stocked("mug", on_hand=2)
    await run(hold_stock, hold(mug=2))
    await close(move_to="LEEDS")
    await run(release_hold, ReleaseHold(order_id=ORDER))
    before = len(await told(db))
    await reopen()
    assert (await told(db))[before:] == ["replenished low"]
    assert await available() == ("low", 2)


@pytest.mark.parametrize("at_once", [1, 2, 3])
async def test_some_skus_at_a_time(
    run: Run,
    close: Asked,
    reopen: Asked,
    try_close: Callable[..., Awaitable[Answer]],
    stocked: Stocked,
    available: Asked,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    for function in ("close_location", "open_location"):
        monkeypatch.setattr(f"functions.inventory.{function}.AT_ONCE", at_once)
    skus = ["a", "b", "c", "d", "e"]
    for number, sku in enumerate(skus):
        await stocked(sku, on_hand=number)

    left, calls = len(skus), 0
    while left:
        calls += 1
        done = await close(move_to="LEEDS")
        here = min(at_once, left)
        left -= here
        assert (done["left"], done["closed"]) == (left, left == 0)
        if calls == 1 and left:
            body = {"delta": 1, "reason": "found"}
            path = "/v1/stock/a/LON/adjustments"
            withdrawn = await ask(adjust_stock, path, body, roles=AS_ADMIN, idempotency_key="k")
            assert refusal(withdrawn) == (404, "unknown-location")
            _, emitted = await run(hold_stock, hold(e=4))
            assert isinstance(emitted[0], StockHeld), "what is not withdrawn yet is given"
            assert emitted[0].allocations[0].location == "LON"
            await run(release_hold, ReleaseHold(order_id=ORDER))
    assert calls == -(-len(skus) // at_once)
    assert [(await available(sku))[1] for sku in skus] == [0, 1, 2, 3, 4]

    left = len(skus)
    while left:
        left -= min(at_once, left)
        assert (await reopen())["left"] == left


async def test_a_closure_that_is_not_gone_on_with_is_taken_back(
    close: Asked, reopen: Asked, stocked: Stocked, available: Asked, monkeypatch: pytest.MonkeyPatch, db: Books
) -> None:
    monkeypatch.setattr("functions.inventory.close_location.AT_ONCE", 1)
    for sku in ("mug", "tea"):
        await stocked(sku, on_hand=2)
    assert await close(move_to="LEEDS") == {"moved": 1, "units": 2, "left": 1, "closed": False}
    assert await reopen() == {"location": "LON", "left": 0}
    await stocked("mug", on_hand=3)
    assert await available() == ("low", 5)


async def test_what_is_withdrawn_does_not_count_while_the_location_is_still_open(
    run: Run, close: Asked, stocked: Stocked, available: Asked, monkeypatch: pytest.MonkeyPatch, db: Books
) -> None:
    monkeypatch.setattr("functions.inventory.close_location.AT_ONCE", 1)
    await stocked("mug", on_hand=4)
    await stocked("tea", on_hand=2)
    await run(set_level_policy, SetLevelPolicy(sku="mug", location="LON", backorder_limit=5), caller=ADMIN)
    await run(hold_stock, hold(mug=4))
    assert await available() == ("backorder", 0)
    assert (await close(move_to="LEEDS"))["closed"] is False
    assert await available() == ("out_of_stock", 0)

    await run(release_hold, ReleaseHold(order_id=ORDER))
    assert await available() == ("out_of_stock", 0)
    (found,) = await db.all(compiled(STATUS_OF).sql, skus=["mug"])
    assert (found.status, found.available) == ("out_of_stock", 0)


async def test_where_there_is_nowhere_to_move_to(
    try_close: Callable[..., Awaitable[Answer]], close: Asked, stocked: Stocked
) -> None:
    await stocked("mug", on_hand=2)
    assert refusal(await try_close(move_to="YORK")) == (404, "unknown-location")
    assert refusal(await try_close("YORK")) == (404, "unknown-location")
    assert refusal(await try_close(move_to="LON")) == (422, "validation-failed")
    assert refusal(await try_close(move_to="a b")) == (422, "validation-failed")
    assert refusal(await try_close(move_to=["LEEDS"])) == (422, "validation-failed")
    assert refusal(await try_close(moved=1)) == (422, "validation-failed")
    await close("LEEDS")
    assert refusal(await try_close(move_to="LEEDS")) == (409, "location-closed")


async def test_only_admins_close_and_open(ask: Ask) -> None:
    assert (await ask(close_location, "/v1/locations/LON/closure", roles=("service",))).status == 403
    assert (await ask(open_location, "/v1/locations/LON/opening", roles=("customer",))).status == 403
    assert refusal(await ask(open_location, "/v1/locations/LON/opening", roles=AS_ADMIN)) == (404, "unknown-location")


async def test_2000_skus_cost_as_many_statements_as_one(run: Run, located: Callable[..., Awaitable[None]]) -> None:
    async def counted(function: Any, request: Any) -> float:
        sent = metrics.statements(function.__name__)._value
        before: float = sent.get()
        await run(function, request, caller=ADMIN)
        return float(sent.get()) - before

    async def there_and_back(count: int) -> list[float]:
        here, there = f"from-{count}", f"to-{count}"
        for location in (here, there):
            await located(location)
        rows = "".join(f"{here}-{number},{here},9\n" for number in range(count))
        request = ImportStock(media_type="text/csv", body=f"sku,location,on_hand\n{rows}".encode())
        return [
            await counted(import_stock, request),
            await counted(close_location, CloseLocation(location=here, move_to=there)),
            await counted(open_location, OpenLocation(location=here)),
        ]

    assert await there_and_back(2_000) == await there_and_back(1)
