"""Each alert is raised once in an episode, whatever comes twice, late or again."""

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from functions.inventory.list_alerts import list_alerts
from tests.conftest import Ask, Books
from tests.functions.inventory.alerting import (
    Hear,
    add_target,
    enough,
    enough_at,
    hearer,
    low,
    low_at,
    out,
    out_at,
    short,
    some,
)
from tests.functions.inventory.conftest import Stocked

URL = "https://hooks.example.com/stock"


@pytest.fixture
def hear(endpoint_of: Callable[[Callable[..., Any]], Any], stocked: Stocked) -> Hear:
    return hearer(endpoint_of)


async def raised(db: Books) -> list[tuple[str, str | None, int]]:
    """Kind, location, episode, in the order in which they were raised."""
    rows = await db.all("""
        select a.kind, w.location, a.episode from inventory.alerts a join inventory.alert_watches w on w.id = a.watch
        order by a.raised_at, a.id""")
    return [(row.kind, row.location, row.episode) for row in rows]


async def test_an_episode_from_low_to_back_in_stock(hear: Hear, db: Books) -> None:
    for event in (low(), out(), some(), enough()):
        await hear(event)

    assert await raised(db) == [("low", None, 1), ("out", None, 1), ("back_in_stock", None, 1)]
    assert await db.value("select count(*) from inventory.alerts where closed_at is null") == 0


async def test_stock_that_goes_up_and_down_raises_nothing_twice(hear: Hear, db: Books) -> None:
    for event in (low(), out(), some(), out(), some(), out()):
        await hear(event)

    assert await raised(db) == [("low", None, 1), ("out", None, 1)]
    assert await db.value("select open from inventory.alert_watches") is True


async def test_after_the_end_of_an_episode_all_is_news_again(hear: Hear, db: Books) -> None:
    for event in (low(), enough(), low(), enough()):
        await hear(event)

    assert [(kind, episode) for kind, _, episode in await raised(db)] == [
        ("low", 1), ("back_in_stock", 1), ("low", 2), ("back_in_stock", 2),
    ]  # fmt: skip


async def test_stock_that_was_never_missed_is_not_back(hear: Hear, db: Books) -> None:
    await hear(enough())
    await hear(short(0))

    assert await raised(db) == []


async def test_locations_have_episodes_of_their_own(hear: Hear, db: Books) -> None:
    for event in (low_at("LON"), low(), low_at("LEEDS"), enough_at("LON"), low_at("LON"), out_at("LEEDS")):
        await hear(event)

    assert await raised(db) == [
        ("low", "LON", 1), ("low", None, 1), ("low", "LEEDS", 1), ("back_in_stock", "LON", 1), ("low", "LON", 2),
        ("out", "LEEDS", 1),
    ]  # fmt: skip


async def test_a_shortfall_is_told_once_and_when_it_is_made_good(hear: Hear, db: Books) -> None:
    for event in (low_at("LON"), short(3), short(5), enough_at("LON"), short(0), short(1)):
        await hear(event)

    assert await raised(db) == [
        ("low", "LON", 1), ("shortfall", "LON", 1), ("back_in_stock", "LON", 1), ("made_good", "LON", 1),
        ("shortfall", "LON", 2),
    ]  # fmt: skip


async def test_an_event_that_comes_again_changes_nothing(hear: Hear, db: Books) -> None:
    await add_target(db, URL)
    await hear(low(), sequence=7, id="one")
    await hear(low(), sequence=7, id="one")
    await hear(low(), sequence=7, id="the same under another name")

    assert await db.value("select count(*) from inventory.alert_deliveries") == 1


async def test_an_older_event_changes_nothing(hear: Hear, db: Books) -> None:
    await hear(enough(), sequence=9)
    await hear(low(), sequence=8)
    await hear(out(), sequence=3)

    assert await raised(db) == []
    assert await db.value("select sequence from inventory.alert_watches") == 9


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_in_any_order_the_newest_event_decides(hear: Hear, db: Books, order: tuple[int, ...]) -> None:
    events = (low(), out(), enough())
    for n in order:
        await hear(events[n], sequence=n + 1)
    for n in order:
        await hear(events[n], sequence=n + 1)

    kinds = [kind for kind, _, _ in await raised(db)]
    assert len(kinds) == len(set(kinds)), "nothing is raised twice"
    assert await db.value("select open from inventory.alert_watches") is False, "there is enough"


async def test_every_target_that_wants_it_is_told_once(hear: Hear, db: Books) -> None:
    every = await add_target(db, URL)
    outs = await add_target(db, "stock@example.com", "out", channel="mail")
    await add_target(db, URL + "/disabled", enabled=False)
    await hear(low())
    late = await add_target(db, URL + "/late")
    await hear(out())

    rows = await db.all("""
        select a.kind, d.target, d.status
        from inventory.alert_deliveries d join inventory.alerts a on a.id = d.alert""")
    assert {(row.kind, row.target) for row in rows} == {
        ("low", every), ("out", every), ("out", outs), ("out", late),
    }  # fmt: skip
    assert len(rows) == 4
    assert {row.status for row in rows} == {"pending"}


async def test_alerts_are_listed_newest_first(hear: Hear, db: Books, ask: Ask) -> None:
    for event in (low(), out(), low_at("LON"), enough(), out("TEA")):
        await hear(event)

    async def listed(query: str) -> list[tuple[str, str, str | None]]:
        found: list[tuple[str, str, str | None]] = []
        cursor = ""
        while True:
            answer = await ask(list_alerts, f"/v1/alerts?limit=2{query}{cursor}", roles=("admin",))
            assert answer.status == 200, answer.body
            page = json.loads(answer.body)
            found += [(one["kind"], one["sku"], one["location"]) for one in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    every = await listed("")
    assert every == [
        ("out", "TEA", None), ("back_in_stock", "MUG", None), ("low", "MUG", "LON"), ("out", "MUG", None),
        ("low", "MUG", None),
    ]  # fmt: skip
    assert await listed("&sku=TEA") == every[:1]
    assert await listed("&location=LON") == [every[2]]
    assert await listed("&kind=out") == [every[0], every[3]]
    assert await listed("&state=open") == [every[0], every[2]]
    assert len(await listed("&state=closed")) == 3
