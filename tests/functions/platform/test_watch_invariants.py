"""The books are checked all the time: what disagrees for a minute is told once, and told again when it is over."""

import json
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY

from functions.platform.check_invariants import check_invariants
from functions.platform.list_findings import list_findings
from functions.platform.watch_invariants import AGAIN_S, GRACE_S, ROUND_S, SENTENCES, watch_invariants
from infra.local.postgres import Cloned
from shared.platform.checking import PROVIDER
from shared.platform.events import InvariantRestored, InvariantViolated
from shared.platform.invariants import CHECKS
from shared.runtime import Event
from tests.conftest import NOW, Ask, Books, Run

CHECK = "closed_locations_give_nothing"
BREAK = """
insert into inventory.locations (id, name, created_at, closed_at) values ('OLD', 'Old', now(), now());
insert into inventory.stock (sku, location) values ('mug', 'OLD')
"""
MEND = "update inventory.stock set withdrawn = true"

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def broken(database: Cloned) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(BREAK)


async def look(run: Run, db: Books, at: datetime) -> list[Event]:
    """Has that one check made, at that time; all others are not due."""
    await db.run(
        "insert into platform.checks (name, next_at)"
        " select n, case n when %(check)s then '-infinity' else 'infinity' end::timestamptz"
        " from unnest(%(all)s::text[]) n"
        " on conflict (name) do update set next_at = excluded.next_at",
        check=CHECK, all=list(SENTENCES),
    )  # fmt: skip
    _, emitted = await run(watch_invariants, now=at)
    return emitted


async def standing(db: Books, check: str = CHECK) -> Any:
    return await db.one("select * from platform.checks where name = %(name)s", name=check)


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"check": CHECK})


async def history(ask: Ask, query: str = "") -> Any:
    answer = await ask(list_findings, f"/v1/invariants/history{query}", roles=("operator",))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["items"]


async def test_every_check_has_its_turn_in_a_round(run: Run, db: Books) -> None:
    for second in range(0, 10 * len(SENTENCES), 10):
        await run(watch_invariants, now=NOW + timedelta(seconds=second))

    rows = await db.all("select name, checked_at, violations from platform.checks")
    assert {row.name for row in rows} == {*(check.name for check in CHECKS), PROVIDER}
    assert all(row.checked_at is not None and row.violations == 0 for row in rows)
    assert await db.all("select * from platform.findings") == []


async def test_what_is_wrong_once_is_looked_at_again_before_it_is_told(
    run: Run, db: Books, ask: Ask, broken: None
) -> None:
    assert await look(run, db, LATER) == []

    assert (await standing(db)).next_at == LATER + timedelta(seconds=GRACE_S)
    assert gauge("shop_invariant_violations") == 0
    (finding,) = await history(ask)
    assert (finding["name"], finding["told_at"], finding["gone_at"]) == (CHECK, None, None)
    assert finding["examples"][0]["location"] == "OLD"

    await db.run(MEND)
    assert await look(run, db, LATER + timedelta(seconds=GRACE_S)) == []
    (finding,) = await history(ask)
    assert finding["told_at"] is None
    assert finding["gone_at"] is not None


async def test_what_stays_wrong_is_told_once_and_its_end_as_well(run: Run, db: Books, ask: Ask, broken: None) -> None:
    sentence = SENTENCES[CHECK]
    again, third, last = (LATER + timedelta(seconds=n * GRACE_S) for n in (1, 2, 3))
    await look(run, db, LATER)

    assert await look(run, db, again) == [
        InvariantViolated(name=CHECK, sentence=sentence, violations=1, first_seen=LATER)
    ]
    assert gauge("shop_invariant_violations") == 1
    assert await look(run, db, third) == []
    await db.run(MEND)
    assert await look(run, db, last) == [
        InvariantRestored(name=CHECK, sentence=sentence, first_seen=LATER, last_seen=third)
    ]

    assert gauge("shop_invariant_violations") == 0
    assert gauge("shop_invariant_checked_timestamp_seconds") == last.timestamp()
    (finding,) = await history(ask, f"?state=gone&name={CHECK}")
    assert (finding["told_at"], finding["most"]) == (again.isoformat().replace("+00:00", "Z"), 1)
    assert await history(ask, "?state=open") == []


async def test_a_second_look_that_comes_too_soon_tells_nothing(run: Run, db: Books, broken: None) -> None:
    await look(run, db, LATER)

    assert await look(run, db, LATER + timedelta(seconds=GRACE_S - 1)) == []


async def test_it_comes_again_as_a_finding_of_its_own(run: Run, db: Books, ask: Ask, broken: None) -> None:
    for n in range(2):
        await look(run, db, LATER + timedelta(hours=n))
        await db.run(MEND)
        await look(run, db, LATER + timedelta(hours=n, minutes=5))
        await db.run("update inventory.stock set withdrawn = false")

    newest, oldest = await history(ask)
    assert newest["first_seen"] > oldest["first_seen"]
    assert [one["id"] for one in await history(ask, "?limit=1")] == [newest["id"]]


async def test_a_check_that_takes_long_is_made_more_rarely(run: Run, db: Books, monkeypatch: Any) -> None:
    ticks = iter((0.0, 7.0))
    monkeypatch.setattr("functions.platform.watch_invariants.perf_counter", lambda: next(ticks))

    await look(run, db, LATER)

    at = await standing(db)
    assert at.took_ms == 7000
    assert at.next_at - LATER == timedelta(seconds=7 * len(SENTENCES) / 0.05)
    assert at.next_at - LATER > timedelta(seconds=ROUND_S)


async def test_a_check_that_fails_keeps_no_other_waiting(run: Run, db: Books) -> None:
    """What it reads is gone: it is tried again later, and the one that waits next has its turn."""
    await db.run("alter table inventory.transfer_lines rename to lost")
    await look(run, db, LATER)
    await db.run(
        "update platform.checks set next_at = case name when 'transfers_equal_ledger' then '2026-01-01'"
        " when %(check)s then '2026-01-02' else 'infinity' end::timestamptz",
        check=CHECK,
    )

    with pytest.raises(psycopg.errors.UndefinedTable):
        await run(watch_invariants, now=LATER)
    await run(watch_invariants, now=LATER)

    failed = await standing(db, "transfers_equal_ledger")
    assert (failed.checked_at, failed.next_at) == (None, LATER + timedelta(seconds=AGAIN_S))
    assert (await standing(db)).checked_at == LATER
    assert (
        REGISTRY.get_sample_value("shop_invariant_checked_timestamp_seconds", {"check": "transfers_equal_ledger"})
        == (await standing(db, "transfers_equal_ledger")).added_at.timestamp()
    )


async def test_books_of_a_provider_that_is_not_there_are_no_violation(run: Run, db: Books) -> None:
    await db.run("insert into platform.checks (name, next_at) select n, 'infinity' from unnest(%(all)s::text[]) n",
                 all=list(SENTENCES))  # fmt: skip
    await db.run("update platform.checks set next_at = '-infinity' where name = %(name)s", name=PROVIDER)

    assert await run(watch_invariants, now=LATER) == (None, [])

    at = await standing(db, PROVIDER)
    assert at.note == "No provider is set: its books were not read."
    assert at.next_at == LATER + timedelta(seconds=GRACE_S)


@pytest.mark.parametrize("query", ["?state=both", "?name=", "?cursor=nonsense", "?limit=0"])
async def test_what_cannot_be_asked(ask: Ask, query: str) -> None:
    answer = await ask(list_findings, f"/v1/invariants/history{query}", roles=("operator",))

    assert answer.status == 422


async def test_only_operators_are_told(ask: Ask) -> None:
    for function, path in ((list_findings, "/v1/invariants/history"), (check_invariants, "/v1/invariants")):
        assert (await ask(function, path, roles=("customer", "admin"))).status == 403
