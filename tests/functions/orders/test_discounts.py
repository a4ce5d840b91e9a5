"""Discounts are used no more often than they may be, whoever comes at once, and given back when nothing was sold."""

import asyncio
import json
from typing import Any
from uuid import UUID

import psycopg
import pytest

from functions.orders.get_discount import GetDiscount, get_discount
from functions.orders.give_back_discounts import give_back_discounts
from functions.orders.list_discounts import list_discounts
from functions.orders.place_order import place_order
from functions.orders.quote_order import quote_order
from functions.orders.remove_discount import RemoveDiscount, remove_discount
from functions.orders.set_discount import set_discount
from shared.orders.events import OrderCancelled, OrderRejected
from shared.orders.problems import DiscountInUse, UnknownDiscount
from shared.runtime.answers import Answer
from tests.conftest import ADMIN, Ask, Books, Run
from tests.functions.orders.pricing import buying, discount, sell, wanting


async def buy(ask: Ask, *codes: str, subject: str = "ann", key: str = "k") -> Answer:
    body = buying({"mug": 1}, discount_codes=list(codes))
    return await ask(place_order, "/v1/orders", body, roles=("customer",), subject=subject, idempotency_key=key)


def why(answer: Answer) -> list[str]:
    return [error["code"] for error in json.loads(answer.body).get("errors", [])]


def order_of(answer: Answer) -> UUID:
    assert answer.status == 201, answer.body
    return UUID(json.loads(answer.body)["id"])


async def uses(db: Books, code: str) -> int:
    return int(await db.value("select uses from orders.discounts where code = %(code)s", code=code))


async def test_of_many_at_once_only_as_many_get_it_as_may(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "FIVE", percent_ppm=100_000, most_uses=5)
    await discount(run, "ALSO", percent_ppm=100_000)
    answers = await asyncio.gather(
        *(buy(ask, *codes, subject=f"c{n}") for n, codes in enumerate([("FIVE", "ALSO"), ("ALSO", "FIVE")] * 15))
    )

    assert sorted(answer.status for answer in answers) == [201] * 5 + [422] * 25
    assert {code for answer in answers for code in why(answer)} == {"discount_used_up"}
    assert (await uses(db, "FIVE"), await uses(db, "ALSO")) == (5, 5)
    assert await db.value("select count(*) from orders.orders") == 5
    assert await db.value("select count(*) from orders.discount_uses") == 10


async def test_a_customer_who_comes_many_times_at_once_gets_it_as_often_as_may_be(
    ask: Ask, run: Run, db: Books
) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "TWICE", percent_ppm=100_000, most_per_customer=2)
    answers = await asyncio.gather(*(buy(ask, "TWICE", key=f"k{n}") for n in range(12)))

    assert sorted(answer.status for answer in answers) == [201] * 2 + [422] * 10
    assert {code for answer in answers for code in why(answer)} == {"discount_used_by_customer"}
    assert (await buy(ask, "TWICE", subject="bob")).status == 201
    assert await uses(db, "TWICE") == 3


async def test_the_database_itself_lets_no_counter_go_too_far(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "ONCE", percent_ppm=100_000, most_uses=1, most_per_customer=1)
    order_of(await buy(ask, "ONCE"))
    with pytest.raises(psycopg.errors.CheckViolation):
        await db.run("update orders.discounts set uses = uses + 1")
    with pytest.raises(psycopg.errors.CheckViolation):
        await db.run("update orders.discount_customers set uses = uses + 1")


async def test_what_ends_without_a_sale_gives_its_uses_back_once(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "ONCE", percent_ppm=100_000, most_uses=1, most_per_customer=1)
    order = order_of(await buy(ask, "ONCE"))
    assert why(await buy(ask, "ONCE", key="again")) == ["discount_used_up"]
    assert why(await ask(quote_order, "/v1/quotes", wanting({"mug": 1}, discount_codes=["ONCE"]))) == [
        "discount_used_up"
    ]
    for event in (
        OrderRejected(order_id=order, reason="payment_declined"),
        OrderCancelled(order_id=order, reason="changed my mind"),
        OrderRejected(order_id=UUID(int=404), reason="out_of_stock"),
    ):
        await run(give_back_discounts, event)
        assert await uses(db, "ONCE") == 0

    order_of(await buy(ask, "ONCE", key="again"))
    assert [tuple(row) for row in await db.all("select uses, most from orders.discount_customers")] == [(1, 1)]
    shown, _ = await run(get_discount, GetDiscount(code="once"), caller=ADMIN)
    assert shown.uses == 1
    assert [use.given_back_at is None for use in shown.latest_uses] in ([True, False], [False, True])


async def test_a_refused_order_uses_nothing(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "A", percent_ppm=100_000)
    await discount(run, "B", percent_ppm=100_000, most_uses=1)
    order_of(await buy(ask, "B"))
    assert why(await buy(ask, "A", "B", key="2")) == ["discount_used_up"]
    assert await uses(db, "A") == 0


async def test_one_key_uses_it_once(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "A", percent_ppm=100_000)
    first, again = await buy(ask, "A"), await buy(ask, "A")
    assert first.body == again.body
    assert await uses(db, "A") == 1


async def test_what_is_used_cannot_be_limited_to_less_nor_removed(ask: Ask, run: Run) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "A", percent_ppm=100_000)
    for n in range(2):
        order_of(await buy(ask, "A", key=str(n)))
    with pytest.raises(DiscountInUse):
        await discount(run, "A", percent_ppm=100_000, most_uses=1)
    with pytest.raises(DiscountInUse):
        await run(remove_discount, RemoveDiscount(code="A"), caller=ADMIN)
    assert (await discount(run, "a", percent_ppm=100_000, most_uses=2)).uses == 2
    await discount(run, "B", percent_ppm=100_000)
    await run(remove_discount, RemoveDiscount(code="b"), caller=ADMIN)
    with pytest.raises(UnknownDiscount):
        await run(remove_discount, RemoveDiscount(code="B"), caller=ADMIN)


async def test_they_are_listed_in_pages(ask: Ask, run: Run) -> None:
    for code in ("C", "A", "B"):
        await discount(run, code, percent_ppm=100_000)
    first = json.loads((await ask(list_discounts, "/v1/admin/discounts?limit=2", roles=("admin",))).body)
    rest = await ask(list_discounts, f"/v1/admin/discounts?cursor={first['next_cursor']}", roles=("admin",))
    assert [item["code"] for item in first["items"] + json.loads(rest.body)["items"]] == ["A", "B", "C"]
    assert (await ask(list_discounts, "/v1/admin/discounts", roles=("customer",))).status == 403


async def test_what_makes_no_discount_is_refused(ask: Ask) -> None:
    good: dict[str, Any] = {"name": "Spring", "percent_ppm": 100_000}
    for changed in (
        {"percent_ppm": None},
        {"percent_ppm": 0},
        {"percent_ppm": 1_000_001},
        {"percent_ppm": True},
        {"amount_minor": 1, "currency": "GBP"},
        {"percent_ppm": None, "amount_minor": 1},
        {"percent_ppm": None, "amount_minor": 10**30, "currency": "GBP"},
        {"minimum_minor": 5},
        {"scope": "shipping", "skus": ["mug"]},
        {"scope": "moon"},
        {"starts_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-01T00:00:00Z"},
        {"starts_at": "2026-03-02T00:00:00"},
        {"most_uses": 0},
        {"uses": 5},
        {"name": " "},
    ):
        answer = await ask(set_discount, "/v1/admin/discounts/SPRING", good | changed, roles=("admin",))
        assert answer.status == 422, changed
    assert (await ask(set_discount, "/v1/admin/discounts/SPRING", good, roles=("admin",))).status == 200
