"""The ledger is paged by every filter along an index, and says what there was at any moment."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from functions.inventory.commit_hold import commit_hold
from functions.inventory.get_past_stock import LEVELS, get_past_stock
from functions.inventory.hold_stock import hold_stock
from functions.inventory.list_ledger import list_ledger
from functions.inventory.search_ledger import search_ledger
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.ship_hold import ship_hold
from shared.inventory.events import CommitHold, ShipHold
from shared.inventory.history import page_of
from shared.runtime.db import compiled
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.inventory.conftest import ORDER, Stocked, hold

AS_ADMIN = ("admin",)
TRANSFER = UUID(int=0x7F)
DAY = timedelta(days=1)


async def entered(db: Books, count: int = 120, seed: int = 3) -> list[Any]:
    """Entries of two SKUs at three locations, some at the same moment: newest first."""
    await db.run("insert into inventory.locations (id, name, created_at) values ('YORK', 'York', now())")
    await db.run(
        "insert into inventory.items (sku, tracked, updated_at) values ('mug', true, now()), ('tea', true, now())"
    )
    chance = random.Random(seed)
    levels: dict[tuple[str, str], int] = {}
    for number in range(count):
        key = chance.choice(("mug", "mug", "tea")), chance.choice(("LON", "LON", "LEEDS", "YORK"))
        delta = chance.randint(1, 9) if levels.get(key, 0) < 5 else -chance.randint(1, 4)
        if key not in levels:
            await db.run("insert into inventory.stock (sku, location) values (%(sku)s, %(at)s)", sku=key[0], at=key[1])
        levels[key] = levels.get(key, 0) + delta
        await db.run(
            """insert into inventory.ledger
              (sku, location, delta, on_hand, reason, actor, order_id, transfer, at, recorded_at)
            values (%(sku)s, %(location)s, %(delta)s, %(on_hand)s, %(reason)s, %(actor)s, %(order)s, %(transfer)s,
              %(at)s, %(at)s)""",
            sku=key[0],
            location=key[1],
            delta=delta,
            on_hand=levels[key],
            reason=chance.choice(("received", "found", "recount")) if delta > 0 else chance.choice(("damaged", "lost")),
            actor=chance.choice(("ann", "bob")),
            order=chance.choice((ORDER, None, None)),
            transfer=chance.choice((TRANSFER, None, None)),
            at=NOW + number // 3 * DAY / 10,
        )
    for (sku, at), on_hand in levels.items():
        await db.run(
            """update inventory.stock set on_hand = %(n)s, changed_at = %(now)s
            where sku = %(sku)s and location = %(at)s""",
            n=on_hand, sku=sku, at=at, now=NOW + 400 * DAY,
        )  # fmt: skip
    return await db.all("select * from inventory.ledger order by recorded_at desc, id desc")


async def paged(ask: Ask, function: Any, path: str, limit: int = 7, **filters: Any) -> list[int]:
    """The ids of all entries, page by page."""
    ids: list[int] = []
    cursor = None
    while True:
        given = {"limit": limit, **filters, **({"cursor": cursor} if cursor else {})}
        answer = await ask(function, f"{path}?{urlencode(given)}", roles=("operator",))
        assert answer.status == 200, answer
        page = json.loads(answer.body)
        ids += [entry["id"] for entry in page["items"]]
        assert len(page["items"]) == limit or page["next_cursor"] is None
        cursor = page["next_cursor"]
        if cursor is None:
            return ids


OF_SKU: list[dict[str, Any]] = [
    {},
    {"location": "LON"},
    {"reason": "found"},
    {"location": "LEEDS", "reason": "damaged"},
    {"from": NOW + DAY, "until": NOW + 3 * DAY},
    {"location": "YORK", "from": NOW + DAY / 10},
    {"reason": "lost", "until": NOW + 2 * DAY},
    {"location": "LON", "reason": "received", "from": NOW, "until": NOW + 3 * DAY},
    {"location": "nowhere"},
    {"reason": "stolen"},
]


def matches(entry: Any, filters: dict[str, Any]) -> bool:
    return all(
        entry.recorded_at >= value
        if name == "from"
        else entry.recorded_at < value
        if name == "until"
        else getattr(entry, name) == value
        for name, value in filters.items()
    )


def written(filters: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in filters.items()}


async def test_all_filters_give_what_matches_newest_first(ask: Ask, db: Books, stocked: Stocked) -> None:
    entries = await entered(db)
    for filters in OF_SKU:
        expected = [entry.id for entry in entries if entry.sku == "mug" and matches(entry, filters)]
        assert await paged(ask, list_ledger, "/v1/stock/mug/ledger", **written(filters)) == expected, filters
    others: list[dict[str, Any]] = [
        {"actor": "ann"},
        {"actor": "bob", "reason": "lost", "location": "LON"},
        {"order_id": ORDER},
        {"order_id": ORDER, "location": "LEEDS", "from": NOW + DAY},
        {"transfer": TRANSFER},
        {"transfer": TRANSFER, "order_id": ORDER, "actor": "ann"},
        {"actor": "nobody"},
        {"order_id": UUID(int=9)},
    ]
    for filters in [*OF_SKU, *others]:
        expected = [entry.id for entry in entries if matches(entry, filters)]
        assert await paged(ask, search_ledger, "/v1/ledger", **written(filters)) == expected, filters


async def test_a_shipment_is_found_by_its_order(ask: Ask, run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=5)
    await run(hold_stock, hold(mug=2))
    await run(commit_hold, CommitHold(order_id=ORDER))
    await run(ship_hold, ShipHold(order_id=ORDER, part_id=UUID(int=1)))
    page = json.loads((await ask(search_ledger, f"/v1/ledger?order_id={ORDER}", roles=AS_ADMIN)).body)

    (entry,) = page["items"]
    assert (entry["delta"], entry["on_hand"], entry["reason"], entry["actor"]) == (-2, 3, "shipped", "customer-1")


async def test_the_past_is_what_the_books_said_then(ask: Ask, db: Books, stocked: Stocked) -> None:
    entries = await entered(db)
    moments = {entry.recorded_at + wait for entry in entries for wait in (timedelta(), -timedelta(microseconds=1))}
    for moment in sorted(moments)[::3]:
        path = f"/v1/stock/mug/past?{urlencode({'as_of': moment.isoformat()})}"
        past = json.loads((await ask(get_past_stock, path, roles=("service",))).body)
        expected = {
            at: sum(e.delta for e in entries if (e.sku, e.location) == ("mug", at) and e.recorded_at <= moment)
            for at in ("LON", "LEEDS", "YORK")
        }
        assert {level["location"]: level["on_hand"] for level in past["locations"]} == expected
        assert past["on_hand"] == sum(expected.values())


async def test_before_the_first_entry_there_was_nothing(ask: Ask, run: Run, stocked: Stocked) -> None:
    await stocked("mug", on_hand=5)
    before = json.loads((await ask(get_past_stock, "/v1/stock/mug/past?as_of=2001-01-01T00:00Z", roles=AS_ADMIN)).body)
    assert before["locations"] == [{"location": "LON", "on_hand": 0, "entry": None, "recorded_at": None}]
    assert before["as_of"] == "2001-01-01T00:00:00Z"

    await run(set_item_policy, SetItemPolicy(sku="gift", tracked=False), caller=ADMIN)
    gift = json.loads((await ask(get_past_stock, "/v1/stock/gift/past?as_of=2001-01-01T00:00Z", roles=AS_ADMIN)).body)
    assert (gift["on_hand"], gift["locations"]) == (0, [])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/stock/mug/past", 422),
        ("/v1/stock/mug/past?as_of=yesterday", 422),
        ("/v1/stock/mug/past?as_of=2020-01-01T00:00:00", 422),
        ("/v1/stock/mug/past?as_of=0001-01-01T00:00:00%2B14:00", 422),
        ("/v1/stock/mug/past?as_of=2020-01-01T00:00:00%2B23:59", 200),
        ("/v1/stock/none/past?as_of=2020-01-01T00:00:00Z", 404),
    ],
)
async def test_moments_that_are_none(path: str, status: int, ask: Ask, stocked: Stocked) -> None:
    await stocked("mug", on_hand=1)
    assert (await ask(get_past_stock, path, roles=AS_ADMIN)).status == status


async def test_the_future_is_refused(ask: Ask, stocked: Stocked) -> None:
    await stocked("mug", on_hand=1)
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    answer = await ask(get_past_stock, f"/v1/stock/mug/past?{urlencode({'as_of': soon})}", roles=AS_ADMIN)

    assert answer.status == 422
    assert json.loads(answer.body)["errors"] == [{"pointer": "/as_of", "detail": "This is in the future."}]


@pytest.mark.parametrize(
    "query",
    [
        "reason=whim",
        "location=%00",
        "location=a%20b",
        "from=tomorrow",
        "until=2020-01-01",
        "from=2020-01-01T00:00Z&from=2021-01-01T00:00Z",
        "since=2020-01-01T00:00Z",
        "limit=101",
        "cursor=WyIyMDIwLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwxXQ",  # an offset of almost a day
        "cursor=WyIyMDIwLTAxLTAxVDAwOjAwOjAwWiIsOTk5OTk5OTk5OTk5OTk5OTk5OTldJQ",
    ],
)
async def test_filters_that_are_none(query: str, ask: Ask) -> None:
    assert (await ask(list_ledger, f"/v1/stock/mug/ledger?{query}", roles=AS_ADMIN)).status == 422
    assert (await ask(search_ledger, f"/v1/ledger?{query}", roles=AS_ADMIN)).status == 422


@pytest.mark.parametrize("query", ["order_id=1", "transfer=x", "actor=", "actor=" + "a" * 256, "sku=mug"])
async def test_filters_of_all_skus_that_are_none(query: str, ask: Ask) -> None:
    assert (await ask(search_ledger, f"/v1/ledger?{query}", roles=AS_ADMIN)).status == 422


async def test_who_may_read_the_ledger(ask: Ask) -> None:
    for roles in (("customer",), ("service",)):
        assert (await ask(list_ledger, "/v1/stock/mug/ledger", roles=roles)).status == 403
        assert (await ask(search_ledger, "/v1/ledger", roles=roles)).status == 403


INDEXES = {
    "sku": "ledger_history",
    "sku location": "ledger_history",
    "sku location reason": "ledger_reason",
    "sku reason": "ledger_reason",
    "location": "ledger_place",
    "reason": "ledger_place",
    "location reason": "ledger_place",
    "": "ledger_time",
    "order_id": "ledger_order",
    "order_id location reason": "ledger_order",
    "transfer": "ledger_transfer",
    "actor": "ledger_actor",
    "actor reason": "ledger_actor",
    "past": "ledger_history",
}
WINDOWS = (("null", "null"), ("'2020-01-01'", "'2020-01-02'"), ("null", "'2020-01-02'"))


async def test_each_page_is_read_along_an_index(db: Books, stocked: Stocked) -> None:
    """Of a SKU with half of 30,000 entries, of which those that are asked for are few and old."""
    await db.run("insert into inventory.items (sku, tracked, updated_at) values ('mug', true, now())")
    await db.run("insert into inventory.stock (sku, location) select 'mug', id from inventory.locations")
    await db.run("insert into inventory.stock (sku, location) select 'tea', id from inventory.locations")
    await db.run(
        """
        insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, order_id, transfer, at, recorded_at)
        select case when n %% 2 = 0 then 'tea' else 'mug' end,
          case when n < 30 or n %% 4 = 0 then 'LEEDS' else 'LON' end, 1,
          row_number() over (partition by n %% 2, n < 30 or n %% 4 = 0 order by n),
          case when n < 20 or n %% 6 = 0 then 'stolen' else 'received' end, case when n < 20 then 'ann' else 'bob' end,
          case when n %% 2 = 0 then gen_random_uuid() end, case when n < 50 then %(transfer)s::uuid end, now(),
          '2020-01-01'::timestamptz + n * interval '1 minute'
        from generate_series(1, 30000) n""",
        transfer=TRANSFER,
    )
    await db.run("update inventory.stock s set on_hand = (select coalesce(sum(delta), 0) from inventory.ledger l"
                 " where (l.sku, l.location) = (s.sku, s.location))")  # fmt: skip
    await db.run("analyze inventory.ledger, inventory.stock, inventory.locations")
    values = {
        "sku": "'mug'", "location": "'LEEDS'", "reason": "'stolen'", "actor": "'ann'", "order_id": f"'{ORDER}'",
        "transfer": f"'{TRANSFER}'", "id": "0", "count": "21",
    }  # fmt: skip
    for given, index in INDEXES.items():
        sql = compiled(LEVELS if given == "past" else page_of(frozenset(given.split()))).sql
        for since, until in WINDOWS:
            bound = {**values, "since": since, "until": until, "as_of": until.replace("null", "'2021-01-01'")}
            (explained,) = await db.value(f"explain (analyze, format json) {sql % bound}")
            found = list(scans(explained["Plan"]))
            of_ledger = {scan["Index Name"] for scan in found if "ledger" in scan.get("Index Name", "")}
            read = [scan for scan in found if scan.get("Relation Name") == "ledger"]
            assert of_ledger == {index}, (given, since, until)
            assert not any(scan["Node Type"] == "Seq Scan" for scan in read), (given, since, until)
            assert sum(scan.get("Rows Removed by Filter", 0) for scan in read) == 0, (given, since, until)
            assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in read) <= 130, (given, since, until)


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from scans(below)
