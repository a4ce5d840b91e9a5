"""Holds of several orders in one transaction: each finds what the ones before have left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from functions.inventory.commit_hold import commit_hold
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from shared.inventory.events import CommitHold, HoldStock, ReleaseHold
from shared.runtime.serve import Endpoint
from tests.conftest import Books, Run, delivered
from tests.functions.inventory.conftest import Stocked, hold, level

Together = Callable[..., Awaitable[None]]
A, B, C, D = (UUID(int=0xB0 + number) for number in range(4))


@pytest.fixture
def together(endpoint_of: Callable[..., Endpoint[Any]], db: Books) -> Together:
    """Delivers the commands at once, in this order, to one process; all are applied by one transaction."""

    async def together(*commands: HoldStock | CommitHold) -> None:
        before = await db.value("select count(distinct xmin::text) from platform.inbox")
        endpoint = endpoint_of(commit_hold if isinstance(commands[0], CommitHold) else hold_stock)
        sent = [delivered(command) for command in commands]
        answers = await asyncio.gather(*(endpoint.handle("POST", "/", b"", *one) for one in sent))
        assert {answer.status for answer in answers} == {204}
        assert await db.value("select count(distinct xmin::text) from platform.inbox") == before + 1

    return together


async def told(db: Books) -> list[tuple[int, str]]:
    """Who was answered what, in this order."""
    rows = await db.all("select key, type from platform.outbox where topic = 'shop.holds' order by position")
    return [(UUID(row.key).int - 0xB0, row.type.split(".")[3]) for row in rows]


async def test_each_finds_what_the_ones_before_have_left(together: Together, stocked: Stocked, db: Books) -> None:
    await stocked("mug", "LON", 3)
    await stocked("mug", "LEEDS", 2)
    await together(hold(C, mug=2), hold(A, mug=2), hold(D, mug=2), hold(B, mug=1))

    assert await told(db) == [(2, "held"), (0, "held"), (3, "rejected"), (1, "held")]
    assert (await level(db, "mug"), await level(db, "mug", "LEEDS")) == ((3, 3, 0, 0), (2, 2, 0, 0))
    refused = await db.one("select status, shortages from inventory.holds where order_id = %(id)s", id=D)
    assert tuple(refused) == ("REJECTED", {"mug": 1})


async def test_what_is_refused_to_one_is_had_by_another(together: Together, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=2)
    await stocked("tea", on_hand=1)
    await together(hold(A, mug=1, tea=2), hold(B, mug=2, tea=1))
    assert await told(db) == [(0, "rejected"), (1, "held")]


async def test_an_order_that_asks_twice_is_held_once(together: Together, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await together(hold(A, mug=1), hold(A, mug=4), hold(B, mug=1))

    assert await told(db) == [(0, "held"), (0, "held"), (1, "held")]
    assert await level(db, "mug") == (5, 2, 0, 0)


async def test_orders_that_have_a_hold_are_answered_as_before(
    together: Together, run: Run, stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=5)
    await together(hold(A, mug=1), hold(B, mug=9))
    await run(commit_hold, CommitHold(order_id=A))
    await run(release_hold, ReleaseHold(order_id=C))
    before = len(await told(db))
    await together(hold(A, mug=1), hold(B, mug=1), hold(C, mug=1), hold(D, mug=1))

    assert (await told(db))[before:] == [(0, "held"), (1, "rejected"), (2, "rejected"), (3, "held")]
    assert await level(db, "mug") == (5, 1, 1, 0)


async def test_a_status_that_several_change_is_told_once(together: Together, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=7)
    await together(*(hold(UUID(int=number), mug=1) for number in range(1, 8)))

    rows = await db.all("select type from platform.outbox where topic = 'shop.stock' order by position")
    assert [row.type.split(".")[3] for row in rows][1:] == ["replenished", "depleted"]
    assert await level(db, "mug") == (7, 7, 0, 0)


async def test_one_that_fails_is_alone_in_that(
    endpoint_of: Callable[..., Endpoint[Any]], stocked: Stocked, db: Books
) -> None:
    await stocked("mug", on_hand=5)
    await db.run(f"""
        create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;
        create trigger refuse before insert on inventory.holds for each row when (new.order_id = '{B}')
          execute function refuse()""")
    endpoint = endpoint_of(hold_stock)
    commands = [hold(A, mug=1), hold(B, mug=1), hold(C, mug=1)]
    sent = [delivered(command) for command in commands]
    answers = await asyncio.gather(*(endpoint.handle("POST", "/", b"", *one) for one in sent))

    assert [answer.status for answer in answers] == [204, 503, 204]
    assert await told(db) == [(0, "held"), (2, "held")]
    assert await level(db, "mug") == (5, 2, 0, 0)


async def test_commits_of_several_orders_are_one_transaction(together: Together, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await stocked("tea", on_hand=5)
    await together(hold(A, mug=1, tea=2), hold(B, mug=2), hold(C, tea=1))
    await db.run("update inventory.holds set expires_at = now() where order_id = %(id)s", id=C)
    await db.run("delete from platform.outbox")
    await together(*(CommitHold(order_id=order) for order in (D, C, B, A, B)))

    assert await told(db) == [(3, "expired"), (2, "expired"), (1, "committed"), (0, "committed"), (1, "committed")]
    assert (await level(db, "mug"), await level(db, "tea")) == ((5, 0, 3, 0), (5, 0, 2, 0))
    kept = await db.all("select order_id, status from inventory.holds order by order_id")
    assert [tuple(row) for row in kept] == [(A, "COMMITTED"), (B, "COMMITTED"), (C, "EXPIRED")]


async def test_what_was_committed_is_not_committed_again(together: Together, stocked: Stocked, db: Books) -> None:
    await stocked("mug", on_hand=5)
    await together(hold(A, mug=2))
    await together(CommitHold(order_id=A), CommitHold(order_id=A))
    await together(CommitHold(order_id=A))
    assert await level(db, "mug") == (5, 0, 2, 0)
