"""A SKU's status is told when it changes, by whatever changes it, and only then."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.expire_holds import expire_holds
from functions.inventory.get_stock import get_stock
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.set_stock_level import SetStockLevel, set_stock_level
from infra.local.postgres import SharedServer
from shared.inventory.events import (
    CommitHold,
    HoldRejected,
    ReleaseHold,
    StockAdjusted,
    StockDepleted,
    StockLow,
    StockReplenished,
    StockStatus,
)
from shared.inventory.queries import STANDINGS, STATUS_OF
from shared.inventory.status import LOW_AT, Standing, crossing, status_of
from shared.runtime import Event
from shared.runtime.db import compiled
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, OTHER, Stocked, hold

LATER = NOW + timedelta(seconds=60)
AS_ADMIN = ("admin",)
Crossing = StockLow | StockDepleted | StockReplenished


def crossings(emitted: list[Event]) -> list[tuple[str, str, StockStatus, int]]:
    return [
        (type(event).__name__, event.sku, event.status, event.available)
        for event in emitted
        if isinstance(event, Crossing)
    ]


@pytest.mark.parametrize(
    ("available", "low_at", "status"),
    [(0, 5, "out_of_stock"), (1, 5, "low"), (5, 5, "low"), (6, 5, "in_stock"), (1, 0, "in_stock")],
)
def test_the_rule(available: int, low_at: int, status: str) -> None:
    assert status_of(tracked=True, low_at=low_at, available=available) == status
    assert status_of(tracked=False, low_at=low_at, available=available) == "in_stock"


@given(st.booleans(), st.integers(0, 9), st.integers(0, 12), st.booleans(), st.integers(0, 9), st.integers(0, 12))
def test_what_has_happened_fits_both_ends(
    tracked: bool, low_at: int, available: int, tracked_then: bool, low_at_then: int, available_then: int
) -> None:
    rank = ("out_of_stock", "low", "in_stock")
    before, after = (
        Standing("mug", tracked, low_at, available),
        Standing("mug", tracked_then, low_at_then, available_then),
    )
    event = crossing(before, after)

    if before.status == after.status:
        assert event is None
        return
    assert event is not None
    assert (event.was, event.status, event.available, event.low_at) == (
        before.status, after.status, available_then, low_at_then,
    )  # fmt: skip
    worse = rank.index(after.status) < rank.index(before.status)
    assert isinstance(event, StockReplenished) != worse
    assert isinstance(event, StockDepleted) == (after.status == "out_of_stock")


async def test_an_order_tells_of_each_sku_that_it_makes_scarce(run: Run, stocked: Stocked) -> None:
    for sku, on_hand in (("ample", 50), ("few", 8), ("last", 2), ("scarce", 4)):
        await stocked(sku, on_hand=on_hand)
    _, emitted = await run(hold_stock, hold(scarce=1, last=2, few=3, ample=3))

    assert crossings(emitted) == [("StockDepleted", "last", "out_of_stock", 0), ("StockLow", "few", "low", 5)]
    assert emitted[2] == StockLow(sku="few", status="low", was="in_stock", available=5, low_at=5)


async def test_a_refused_order_tells_nothing(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=6)
    _, emitted = await run(hold_stock, hold(mug=6, tea=1))

    assert emitted == [HoldRejected(order_id=ORDER, shortages={"tea": 1})]


async def test_an_order_that_comes_again_tells_nothing_again(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=6)

    assert len((await run(hold_stock, hold(mug=6)))[1]) == 2
    assert len((await run(hold_stock, hold(mug=6)))[1]) == 1


@pytest.mark.parametrize("committed", [False, True])
async def test_a_release_tells_what_is_there_again(run: Run, stocked: Stocked, committed: bool) -> None:
    for sku, on_hand in (("ample", 50), ("few", 8), ("last", 2), ("tea", 4)):
        await stocked(sku, on_hand=on_hand)
    await run(hold_stock, hold(ample=1, few=3, last=2, tea=1))
    if committed:
        assert crossings((await run(commit_hold, CommitHold(order_id=ORDER)))[1]) == []

    _, emitted = await run(release_hold, ReleaseHold(order_id=ORDER))
    assert crossings(emitted) == [("StockReplenished", "few", "in_stock", 8), ("StockReplenished", "last", "low", 2)]
    assert crossings((await run(release_hold, ReleaseHold(order_id=ORDER)))[1]) == []


async def test_a_timer_tells_once_of_what_several_orders_give_back(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=7)
    await run(hold_stock, hold(mug=4))
    await run(hold_stock, hold(OTHER, mug=3))

    assert crossings((await run(expire_holds, now=LATER))[1]) == [("StockReplenished", "mug", "in_stock", 7)]
    assert crossings((await run(expire_holds, now=LATER))[1]) == []


async def test_a_commit_that_comes_too_late_tells_what_is_there_again(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=2)
    await run(hold_stock, hold(mug=2))
    _, emitted = await run(commit_hold, CommitHold(order_id=ORDER), now=LATER)

    assert crossings(emitted) == [("StockReplenished", "mug", "low", 2)]


async def test_counts_and_adjustments_tell_the_status_with_the_level(run: Run, stocked: Stocked) -> None:
    await stocked("mug", "LEEDS", 4)

    async def adjusted(delta: int) -> tuple[tuple[int, int | None, str | None], list[Any]]:
        request = AdjustStock(sku="mug", location="LON", delta=delta, reason="correction")
        _, emitted = await run(adjust_stock, request, caller=ADMIN)
        assert isinstance(emitted[0], StockAdjusted)
        return (emitted[0].available, emitted[0].sku_available, emitted[0].status), crossings(emitted)

    assert await adjusted(1) == ((1, 5, "low"), [])
    assert await adjusted(2) == ((3, 7, "in_stock"), [("StockReplenished", "mug", "in_stock", 7)])
    assert await adjusted(-3) == ((0, 4, "low"), [("StockLow", "mug", "low", 4)])

    async def counted(location: str, on_hand: int) -> list[Any]:
        request = SetStockLevel(sku="mug", location=location, on_hand=on_hand, reason="recount")
        return crossings((await run(set_stock_level, request, caller=ADMIN))[1])

    assert await counted("LEEDS", 0) == [("StockDepleted", "mug", "out_of_stock", 0)]
    assert await counted("LEEDS", 0) == []
    assert await counted("LON", 9) == [("StockReplenished", "mug", "in_stock", 9)]


async def test_only_what_can_be_had_counts(run: Run, stocked: Stocked, db: Books) -> None:
    """A shortfall takes nothing from other locations, goods given back mend it first, and a closed location is out."""
    await stocked("mug", "LON", 4)
    await stocked("mug", "LEEDS", 3)
    await run(hold_stock, hold(mug=3))
    await run(hold_stock, hold(OTHER, mug=3))
    await stocked("mug", "LON", 0)
    _, emitted = await run(
        adjust_stock, AdjustStock(sku="mug", location="LEEDS", delta=1, reason="found"), caller=ADMIN
    )
    assert crossings(emitted) == [("StockReplenished", "mug", "low", 1)]

    assert crossings((await run(release_hold, ReleaseHold(order_id=ORDER)))[1]) == []
    await db.run("update inventory.locations set closed_at = now() where id = 'LEEDS'")
    _, emitted = await run(adjust_stock, AdjustStock(sku="mug", location="LON", delta=5, reason="found"), caller=ADMIN)
    assert isinstance(emitted[0], StockAdjusted)
    assert (emitted[0].available, emitted[0].sku_available) == (5, 5)
    assert crossings((await run(release_hold, ReleaseHold(order_id=OTHER)))[1]) == []


async def test_a_policy_tells_what_it_changes(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=8)

    async def said(sku: str = "mug", **policy: Any) -> list[Any]:
        return crossings((await run(set_item_policy, SetItemPolicy(sku=sku, **policy), caller=ADMIN))[1])

    assert await said(low_at=8) == [("StockLow", "mug", "low", 8)]
    assert await said(low_at=8) == []
    assert await said(tracked=False) == [("StockReplenished", "mug", "in_stock", 8)]
    assert await said(tracked=True) == [("StockLow", "mug", "low", 8)]
    assert await said(low_at=None) == [("StockReplenished", "mug", "in_stock", 8)]
    assert await said("gift", tracked=True) == []
    assert await said("gift", tracked=False) == [("StockReplenished", "gift", "in_stock", 0)]
    assert await said("gift", tracked=True) == [("StockDepleted", "gift", "out_of_stock", 0)]


async def test_untracked_stock_crosses_nothing(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=8)
    await run(hold_stock, hold(mug=4))
    await run(set_item_policy, SetItemPolicy(sku="mug", tracked=False), caller=ADMIN)

    assert crossings((await run(release_hold, ReleaseHold(order_id=ORDER)))[1]) == []
    _, emitted = await run(adjust_stock, AdjustStock(sku="mug", location="LON", delta=-8, reason="lost"), caller=ADMIN)
    assert crossings(emitted) == []
    assert crossings((await run(hold_stock, hold(OTHER, mug=9)))[1]) == []


async def test_what_a_policy_leaves_out_stays(ask: Ask, stocked: Stocked) -> None:
    await stocked("mug", on_hand=8)

    async def put(body: dict[str, object]) -> dict[str, Any]:
        answer = await ask(set_item_policy, "/v1/items/mug", body, roles=AS_ADMIN)
        policy: dict[str, Any] = json.loads(answer.body)
        return policy

    assert await put({}) == {"sku": "mug", "tracked": True, "low_at": LOW_AT}
    assert await put({"low_at": 8}) == {"sku": "mug", "tracked": True, "low_at": 8}
    assert await put({"tracked": False}) == {"sku": "mug", "tracked": False, "low_at": 8}
    assert await put({"tracked": True, "low_at": None}) == {"sku": "mug", "tracked": True, "low_at": LOW_AT}
    assert await put({"low_at": 8}) == {"sku": "mug", "tracked": True, "low_at": 8}
    shown = json.loads((await ask(get_stock, "/v1/stock/mug", roles=AS_ADMIN)).body)
    assert (shown["status"], shown["low_at"], shown["available"]) == ("low", 8, 8)
    for wrong in ({"low_at": -1}, {"low_at": 1.5}, {"low_at": True}, {"tracked": "no"}):
        assert (await ask(set_item_policy, "/v1/items/mug", wrong, roles=AS_ADMIN)).status == 422


PLACES = ("LEEDS", "LON", "OLD")  # the last is closed
SKUS = ("cup", "mug", "tea")
stocks = st.dictionaries(
    st.tuples(st.sampled_from(SKUS), st.sampled_from(PLACES)),
    st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 5)),
)
policies = st.dictionaries(st.sampled_from(SKUS), st.tuples(st.booleans(), st.none() | st.integers(0, 9)))


@pytest.fixture(scope="module")
def books(server: SharedServer) -> Iterator[psycopg.Connection[Any]]:
    database = server.create_database_from_template()
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            "insert into inventory.locations (id, name, created_at, closed_at)"
            " select id, id, now(), case id when 'OLD' then now() end from unnest(%s::text[]) id",
            [list(PLACES)],
        )
        connection.commit()
        yield connection
        connection.rollback()
    server.drop_database(database)


@given(stock=stocks, policy=policies)
def test_tables_and_functions_know_one_rule(
    books: psycopg.Connection[Any],
    stock: dict[tuple[str, str], tuple[int, int, int]],
    policy: dict[str, tuple[bool, int | None]],
) -> None:
    books.rollback()
    with books.cursor() as cursor:
        cursor.executemany(
            "insert into inventory.stock (sku, location, on_hand, held, committed, shortfall)"
            " values (%s, %s, %s, %s, %s, %s)",
            [(*place, *counts, max(0, counts[1] + counts[2] - counts[0])) for place, counts in stock.items()],
        )
        cursor.executemany(
            "insert into inventory.items (sku, tracked, low_at, updated_at) values (%s, %s, %s, now())",
            [(sku, *terms) for sku, terms in policy.items()],
        )
    expected = []
    for sku in (*SKUS, "unheard of"):
        tracked, low_at = policy.get(sku, (True, None))
        there = sum(
            max(0, on_hand - held - committed)
            for (one, place), (on_hand, held, committed) in stock.items()
            if one == sku and place != "OLD"
        )
        expected.append(Standing(sku, tracked, LOW_AT if low_at is None else low_at, there))

    asked = {"skus": [*SKUS, "unheard of"]}
    found = books.execute(compiled(STANDINGS).sql, asked).fetchall()
    told = books.execute(compiled(STATUS_OF).sql, asked).fetchall()

    assert [Standing(*row) for row in found] == expected
    assert sorted(told) == [(one.sku, one.status, one.available) for one in expected]
