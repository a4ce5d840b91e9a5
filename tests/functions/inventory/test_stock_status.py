"""A SKU's status is told when it changes, by whatever changes it, and only then."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

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
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.set_stock_level import SetStockLevel, set_stock_level
from infra.local.postgres import SharedServer
from shared.inventory.events import (
    CommitHold,
    HoldRejected,
    LevelDepleted,
    LevelLow,
    LevelReplenished,
    ReleaseHold,
    StockAdjusted,
    StockDepleted,
    StockLow,
    StockReplenished,
    StockStatus,
)
from shared.inventory.items import LOW_AT, Item, Level
from shared.inventory.queries import FITS, STATUS_OF, standings
from shared.inventory.status import crossing, enough_at, status_now
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


STATUSES: tuple[StockStatus, ...] = get_args(StockStatus)
RANK = ("out_of_stock", "backorder", "low", "in_stock")


def standing(
    available: int, was: StockStatus, low_at: int = 5, promisable: int | None = None, *, tracked: bool = True
) -> Item:
    """An item of which so many are available at its only location, and so many may be promised."""
    beyond = (available if promisable is None else promisable) - available
    level = Level("mug", "LON", 1, True, None, available, 0, 0, 0, beyond, None, "out_of_stock", 0, 1)
    return Item("mug", tracked, low_at, was, [level])


@pytest.mark.parametrize("was", STATUSES)
@pytest.mark.parametrize(
    ("available", "low_at", "status"),
    [
        *((0, 5, "out_of_stock"), (1, 5, "low"), (5, 5, "low"), (7, 5, "in_stock"), (8, 5, "in_stock")),
        *((1, 0, "in_stock"), (0, 0, "out_of_stock"), (100, 100, "low"), (121, 100, "in_stock")),
    ],
)
def test_the_rule(available: int, low_at: int, status: str, was: StockStatus) -> None:
    assert status_now(standing(available, was, low_at)) == status
    assert status_now(standing(available, was, low_at, tracked=False)) == "in_stock"


@pytest.mark.parametrize(("low_at", "between"), [(5, [6]), (10, [11, 12]), (4, []), (100, list(range(101, 121)))])
def test_what_was_low_stays_low_until_there_is_enough(low_at: int, between: list[int]) -> None:
    assert list(range(low_at + 1, enough_at(low_at))) == between
    for available in between:
        assert status_now(standing(available, "low", low_at)) == "low"
        for was in ("in_stock", "backorder", "out_of_stock"):
            assert status_now(standing(available, was, low_at)) == "in_stock"


@pytest.mark.parametrize("was", STATUSES)
def test_what_is_not_there_may_be_ordered_where_some_may_be_promised(was: StockStatus) -> None:
    assert status_now(standing(0, was, promisable=1)) == "backorder"
    assert status_now(standing(0, was, promisable=0)) == "out_of_stock"
    assert status_now(standing(3, was, promisable=9)) == "low"


@given(
    st.booleans(), st.integers(0, 9), st.integers(0, 14), st.integers(0, 3), st.sampled_from(STATUSES)
)  # fmt: skip
def test_what_has_happened_fits_both_ends(
    tracked: bool, low_at: int, available: int, beyond: int, was: StockStatus
) -> None:
    item = standing(available, was, low_at, available + beyond, tracked=tracked)
    now, event = status_now(item), crossing(item)

    if now == was:
        assert event is None
        return
    assert event is not None
    assert (event.was, event.status, event.available, event.low_at) == (was, now, available, low_at)
    worse = RANK.index(now) < RANK.index(was)
    assert isinstance(event, StockReplenished) != worse
    assert isinstance(event, StockDepleted) == (worse and now in ("out_of_stock", "backorder"))
    assert isinstance(event, StockLow) == (worse and now == "low")
    item.status = event.status
    assert crossing(item) is None


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


async def test_up_and_down_around_the_threshold_is_told_once(run: Run, stocked: Stocked) -> None:
    """Nine of ten single units come and go where the stock is low, and nobody hears of them."""
    await stocked("mug", on_hand=60)
    await run(set_item_policy, SetItemPolicy(sku="mug", low_at=50), caller=ADMIN)

    async def moved(delta: int) -> list[Any]:
        request = AdjustStock(sku="mug", location="LON", delta=delta, reason="correction")
        return crossings((await run(adjust_stock, request, caller=ADMIN))[1])

    told = [one for delta in (-10, *(1, -1) * 10, *(10, -10) * 3) for one in await moved(delta)]
    assert told == [("StockLow", "mug", "low", 50)]
    assert await moved(10) == []
    assert await moved(1) == [("StockReplenished", "mug", "in_stock", 61)]
    told = [one for delta in (-1, *(1, -1) * 10, -9, 9) for one in await moved(delta)]
    assert told == []
    assert await moved(-10) == [("StockLow", "mug", "low", 50)]


async def test_what_may_be_ordered_though_it_is_not_there(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=2)
    await run(set_level_policy, SetLevelPolicy(sku="mug", location="LON", backorder_limit=3), caller=ADMIN)

    assert crossings((await run(hold_stock, hold(mug=3)))[1]) == [("StockDepleted", "mug", "backorder", 0)]
    assert crossings((await run(hold_stock, hold(OTHER, mug=2)))[1]) == [("StockDepleted", "mug", "out_of_stock", 0)]
    assert crossings((await run(release_hold, ReleaseHold(order_id=OTHER)))[1]) == [
        ("StockReplenished", "mug", "backorder", 0)
    ]
    assert crossings((await run(release_hold, ReleaseHold(order_id=ORDER)))[1]) == [
        ("StockReplenished", "mug", "low", 2)
    ]


def levels_told(emitted: list[Event]) -> list[tuple[str, str, StockStatus, int]]:
    return [
        (type(event).__name__, event.location, event.status, event.available)
        for event in emitted
        if isinstance(event, LevelLow | LevelDepleted | LevelReplenished)
    ]


async def test_a_location_with_a_threshold_tells_of_itself_and_others_do_not(
    run: Run, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", "LON", 20)
    await stocked("mug", "LEEDS", 50)

    async def policy(**said: Any) -> list[Any]:
        request = SetLevelPolicy(sku="mug", location="LON", **said)
        return levels_told((await run(set_level_policy, request, caller=ADMIN))[1])

    async def moved(delta: int, location: str = "LON") -> list[Any]:
        request = AdjustStock(sku="mug", location=location, delta=delta, reason="correction")
        return levels_told((await run(adjust_stock, request, caller=ADMIN))[1])

    assert await moved(-1) == []
    assert await policy(low_at=10) == [("LevelReplenished", "LON", "in_stock", 19)]
    assert await policy(low_at=10) == []
    assert await moved(-9) == [("LevelLow", "LON", "low", 10)]
    assert [one for delta in (1, -1, 2, -2) for one in await moved(delta)] == []
    assert await moved(3) == [("LevelReplenished", "LON", "in_stock", 13)]
    assert await moved(-49, "LEEDS") == []
    _, emitted = await run(hold_stock, hold(mug=13))
    assert levels_told(emitted) == [("LevelDepleted", "LON", "out_of_stock", 0)]
    assert crossings(emitted) == [("StockLow", "mug", "low", 1)]
    assert await policy(backorder_limit=2) == [("LevelReplenished", "LON", "backorder", 0)]
    assert levels_told((await run(release_hold, ReleaseHold(order_id=ORDER)))[1]) == [
        ("LevelReplenished", "LON", "in_stock", 13)
    ]
    assert await policy(safety_stock=13) == [("LevelDepleted", "LON", "backorder", 0)]
    assert await policy(low_at=None) == []
    assert await moved(9) == []
    assert await policy(low_at=9) == [("LevelReplenished", "LON", "low", 9)]
    rows = await db.all("select location, low_at, status from inventory.stock order by 1")
    assert [tuple(row) for row in rows] == [("LEEDS", None, "out_of_stock"), ("LON", 9, "low")]


async def test_an_event_of_a_location_says_where_and_since_what(run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=20)
    await run(set_level_policy, SetLevelPolicy(sku="mug", location="LON", low_at=10), caller=ADMIN)
    _, emitted = await run(hold_stock, hold(mug=11))

    assert emitted[1:] == [
        LevelLow(sku="mug", location="LON", status="low", was="in_stock", available=9, low_at=10),
    ]


PLACES = ("LEEDS", "LON", "OLD")  # the last is closed
SKUS = ("cup", "mug", "tea")
counts = st.tuples(st.integers(0, 14), st.integers(0, 5), st.integers(0, 5), st.integers(0, 3), st.integers(0, 4))
stocks = st.dictionaries(st.tuples(st.sampled_from(SKUS), st.sampled_from(PLACES)), counts)
policies = st.dictionaries(
    st.sampled_from(SKUS), st.tuples(st.booleans(), st.none() | st.integers(0, 12), st.sampled_from(STATUSES))
)

FITTING = f"""
select sku, array_agg(status)
from (select sku, tracked, low_at, available, promisable
  from ({standings("cast(%(skus)s as text[])")}) as asked) as s,
  unnest(cast(%(statuses)s as text[])) as status
where {FITS} group by sku
"""  # noqa: S608 - of constants


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
    stock: dict[tuple[str, str], tuple[int, int, int, int, int]],
    policy: dict[str, tuple[bool, int | None, StockStatus]],
) -> None:
    """What the tables' queries count and let pass is what the functions count, and could have told."""
    books.rollback()
    with books.cursor() as cursor:
        cursor.executemany(
            "insert into inventory.stock (sku, location, on_hand, held, committed, safety_stock, backorder_limit,"
            " shortfall) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [(*place, *row, max(0, row[1] + row[2] - row[0] - row[4])) for place, row in stock.items()],
        )
        cursor.executemany(
            "insert into inventory.items (sku, tracked, low_at, status, updated_at) values (%s, %s, %s, %s, now())",
            [(sku, *terms) for sku, terms in policy.items()],
        )
    expected, fitting = [], {}
    for sku in (*SKUS, "unheard of"):
        tracked, low_at, status = policy.get(sku, (True, None, "out_of_stock"))
        item = Item(sku, tracked, LOW_AT if low_at is None else low_at, status)
        for (one, place), (on_hand, held, committed, safety, beyond) in stock.items():
            if one == sku:
                there = on_hand, held, committed, safety, beyond
                level = Level(sku, place, 1, place != "OLD", None, *there, None, "out_of_stock", 0, 1)
                item.levels.append(level)
        expected.append((sku, tracked, item.low_at, status, item.available, item.promisable))
        fitting[sku] = {status_now(replace(item, status=was)) for was in STATUSES}

    asked = {"skus": [*SKUS, "unheard of"], "statuses": list(STATUSES)}
    found = books.execute(standings("cast(%(skus)s as text[])"), asked).fetchall()
    told = books.execute(compiled(STATUS_OF).sql, asked).fetchall()

    assert found == expected
    assert told == [(sku, status, available) for sku, _, _, status, available, _ in expected]
    assert {sku: set(statuses) for sku, statuses in books.execute(FITTING, asked).fetchall()} == fitting
