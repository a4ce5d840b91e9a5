"""What is known of stock on the command line: why it is so, what is short, who holds it, and what does not agree."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import get_args
from uuid import uuid4

import pytest

from functions.inventory.commit_hold import commit_hold
from functions.inventory.create_location import create_location
from functions.inventory.hold_stock import hold_stock
from functions.inventory.set_level_policy import set_level_policy
from functions.inventory.set_stock_level import set_stock_level
from infra.cli.holds import STATUSES
from infra.cli.stock_history import ALL_REASONS
from shared.inventory.events import CommitHold, HoldLine, HoldStock
from shared.inventory.holds import Status
from shared.inventory.ledger import Cause
from shared.runtime.answers import Answer
from tests.conftest import Ask, Books
from tests.infra.cli.conftest import Commanded

PAID, UNPAID = uuid4(), uuid4()
Deliver = Callable[..., Awaitable[Answer]]


@pytest.fixture(autouse=True)
async def sold(ask: Ask, deliver: Deliver) -> None:
    """Ten mugs, of which one order has bought three and another one holds two."""
    await ask(create_location, "/v1/locations", {"id": "LON", "name": "London"}, roles=("admin",))
    await counted(ask, 10)
    for order, quantity in ((PAID, 3), (UNPAID, 2)):
        lines = [HoldLine(sku="mug", quantity=quantity)]
        await deliver(hold_stock, HoldStock(order_id=order, lines=lines, expires_in_s=900))
    await deliver(commit_hold, CommitHold(order_id=PAID))


async def counted(ask: Ask, on_hand: int) -> None:
    answer = await ask(set_stock_level, "/v1/stock/mug/LON", {"on_hand": on_hand}, roles=("admin",))
    assert answer.status == 200


def line(pattern: str, told: str) -> bool:
    return re.search(f"^{pattern}", told, re.MULTILINE) is not None


async def test_why_names_who_brought_and_who_bought(kn_shop: Commanded) -> None:
    code, told, _ = await kn_shop("stock", "why", "mug")

    assert code == 0
    assert told.startswith("mug: 10 on hand, 5 available (low)\n\nLON: 10 on hand, 2 held, 3 committed\n")
    assert line(r"10 +on hand +recount +customer-1 ", told)
    assert line(rf"3 +committed +order +{PAID} ", told)
    assert line(rf"2 +held +order +{UNPAID} .* until ", told)


async def test_a_shortfall_is_listed_with_who_waits_first(kn_shop: Commanded, ask: Ask) -> None:
    assert (await kn_shop("stock", "shortfalls"))[:2] == (0, "No shortfalls found.\n")
    await counted(ask, 4)

    _, told, _ = await kn_shop("stock", "shortfalls", "--location", "LON")
    assert line(rf"mug +LON +1 +4 .* 1 +{UNPAID}$", told)
    why = (await kn_shop("stock", "why", "mug"))[1]
    assert line("short since ", why)
    assert line(rf"2 +held \(1 short\) +order +{UNPAID} ", why)
    assert line(r"3 +1 other orders$", (await kn_shop("stock", "why", "mug", "--shown", "1"))[1])


async def test_holds_are_listed_and_described(kn_shop: Commanded) -> None:
    _, listed, _ = await kn_shop("hold", "list", "--sku", "mug")
    assert line(rf"{PAID} +COMMITTED +1 +3 +3 ", listed)
    assert line(rf"{UNPAID} +HELD +1 +2 +2 ", listed)
    assert (await kn_shop("hold", "list", "--older-than", "60"))[1] == "No holds found.\n"

    _, described, _ = await kn_shop("hold", "describe", str(PAID))
    assert line(r"mug +LON +3 +0 +0 +3$", described)


async def test_a_hold_is_extended_and_ended(kn_shop: Commanded, db: Books) -> None:
    code, told, _ = await kn_shop("hold", "extend", str(UNPAID), "--for", "7200")
    assert (code, told[:11]) == (0, "The hold of")
    assert (await kn_shop("hold", "expire", str(UNPAID)))[0] == 0
    assert await db.value("select held from inventory.stock") == 0

    for order, why in ((PAID, "does not expire any more"), (uuid4(), "has no hold")):
        code, _, said = await kn_shop("hold", "expire", str(order))
        assert (code, why in said) == (1, True)


async def test_what_differs_is_told_and_mended(kn_shop: Commanded, db: Books) -> None:
    assert (await kn_shop("stock", "reconcile"))[:2] == (0, "1 SKUs compared, none differ.\n")
    await db.run("update inventory.stock set on_hand = on_hand + 2")

    code, told, _ = await kn_shop("stock", "reconcile")
    assert (code, line(r"mug +LON +on_hand +12 +10 .* no$", told)) == (1, True)
    code, told, _ = await kn_shop("stock", "reconcile", "--mend", "counters")
    assert (code, line(r"mug +LON +on_hand +12 +10 .* yes$", told)) == (0, True)
    assert await db.value("select on_hand from inventory.stock") == 10
    assert (await kn_shop("stock", "reconcile"))[0] == 0


async def test_why_says_what_policy_and_nobody_explains(kn_shop: Commanded, ask: Ask, db: Books) -> None:
    policy = {"safety_stock": 1, "backorder_limit": 4}
    await ask(set_level_policy, "/v1/stock/mug/LON/policy", policy, roles=("admin",))
    await db.run("update inventory.stock set held = held + 1")
    told = (await kn_shop("stock", "why", "mug"))[1]
    assert line("1 are not sold: safety stock", told)
    assert line("up to 4 may be back-ordered", told)
    assert line(r"\+1 held are unexplained", told)


async def test_the_ledger_by_filters(kn_shop: Commanded, ask: Ask) -> None:
    await counted(ask, 6)
    _, told, _ = await kn_shop("stock", "ledger", "mug", "--no-headers")
    assert [row.split()[4:7] for row in told.splitlines()] == [["-4", "6", "recount"], ["+10", "10", "recount"]]
    _, told, _ = await kn_shop("stock", "ledger", "--actor", "customer-1", "--location", "LON", "-o", "json")
    assert [entry["on_hand"] for entry in json.loads(told)["items"]] == [6, 10]
    for options in (["--reason", "stolen"], ["mug", "--from", "2001-01-01T00:00Z", "--until", "2002-01-01T00:00Z"]):
        assert (await kn_shop("stock", "ledger", *options))[1] == "No entries found.\n"
    assert (await kn_shop("stock", "ledger", "mug", "--actor", "ann"))[0] == 2


async def test_the_past(kn_shop: Commanded, ask: Ask, db: Books) -> None:
    first = (await db.value("select min(recorded_at) from inventory.ledger")).isoformat()
    await counted(ask, 6)
    code, told, _ = await kn_shop("stock", "past", "mug", first)
    assert (code, line(r"LON +10 +\d+ ", told)) == (0, True)
    assert line(r"all locations +0", (await kn_shop("stock", "past", "mug", "2001-01-01T00:00:00Z"))[1])
    code, _, said = await kn_shop("stock", "past", "mug", "2999-01-01T00:00:00Z")
    assert (code, "in the future" in said) == (1, True)


def test_the_choices_are_those_of_the_functions() -> None:
    assert set(ALL_REASONS) == {reason for one in get_args(Cause) for reason in (get_args(one) or (one,))}
    assert set(STATUSES) == set(Status)


async def test_what_cannot_be_mended_is_a_failure(kn_shop: Commanded, db: Books) -> None:
    await db.run("update inventory.hold_lines set location = 'nowhere' where order_id = %(order)s", order=UNPAID)
    code, told, _ = await kn_shop("stock", "reconcile", "--mend", "counters")
    assert code == 1
    assert line(r"mug +nowhere +level +missing .* no$", told)
    assert line(r"mug +LON +held +2 +0 .* yes$", told)
