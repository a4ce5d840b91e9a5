"""What comes back is set against the customer's latest earlier sales, and never refunded above what was paid."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.orders.record_order import record_order
from functions.orders.return_goods import ReturnGoods, ReturnView, return_goods
from shared.orders.saga import State
from shared.payments.events import RefundPayment
from shared.runtime import Event
from tests.conftest import ADMIN, CUSTOMER, NOW, Ask, Books, Run
from tests.functions.orders.sagas import WAYS, happens, order_at, recorded

Sold = Callable[..., Awaitable[UUID]]


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def sold(run: Run) -> Sold:
    """A completed order, of one line unless more are given as (sku, quantity, unit price)."""

    async def sold(days: int, *lines: tuple[str, int, int], customer: str | None = CUSTOMER.subject) -> UUID:
        named = [
            {"sku": sku, "title": sku, "quantity": quantity, "unit_price_minor": price}
            for sku, quantity, price in lines
        ]
        order = recorded(placed_at=days_ago(days), lines=named, customer_id=customer)
        view, _ = await run(record_order, order, caller=ADMIN)
        for what in WAYS[State.COMPLETED]:
            await happens(run, view.id, what)
        return UUID(str(view.id))

    return sold


async def give_back(
    run: Run, quantity: int, price: int, *, sku: str = "mug", at: datetime = NOW
) -> tuple[ReturnView, list[Event]]:
    came_back = ReturnGoods(
        customer_id=CUSTOMER.subject,
        sku=sku,
        quantity=quantity,
        unit_price_minor=price,
        returned_at=at,
        reason="chipped",
    )
    return await run(return_goods, came_back, caller=ADMIN)


def matched(view: ReturnView) -> list[tuple[UUID, int, int, int]]:
    """Order, line, quantity, amount."""
    return [(match.order_id, match.line_no, match.quantity, match.amount_minor) for match in view.matched]


async def test_the_latest_earlier_sale_comes_first(run: Run, sold: Sold) -> None:
    await sold(30, ("mug", 5, 100))
    latest = await sold(10, ("mug", 5, 100))
    await sold(1, ("mug", 5, 100))
    await sold(20, ("tea", 5, 100))
    view, emitted = await give_back(run, 2, 100, at=days_ago(5))

    assert matched(view) == [(latest, 1, 2, 200)]
    assert (view.unmatched_quantity, view.unmatched_amount_minor) == (0, 0)
    (refund,) = emitted
    assert isinstance(refund, RefundPayment)
    assert (refund.order_id, refund.amount_minor, refund.reason) == (latest, 200, "chipped")
    assert refund.command_key == f"refund/{refund.refund_id}"


async def test_it_is_split_over_sales_and_over_lines_of_one_sale(run: Run, sold: Sold, db: Books) -> None:
    older = await sold(30, ("mug", 5, 100))
    newer = await sold(10, ("mug", 1, 100), ("tea", 1, 100), ("mug", 2, 100))
    view, emitted = await give_back(run, 5, 100)

    assert matched(view) == [(newer, 1, 1, 100), (newer, 3, 2, 200), (older, 1, 2, 200)]
    assert len({refund.refund_id for refund in emitted if isinstance(refund, RefundPayment)}) == 3
    rows = await db.all("select id, refunded_minor from orders.orders order by placed_at")
    assert {row.id: row.refunded_minor for row in rows} == {older: 200, newer: 300}


async def test_what_came_back_already_does_not_come_back_again(run: Run, sold: Sold) -> None:
    older, newer = await sold(30, ("mug", 1, 100)), await sold(10, ("mug", 1, 100))
    first, second, third = [(await give_back(run, 1, 100))[0] for _ in range(3)]

    assert [matched(view) for view in (first, second)] == [[(newer, 1, 1, 100)], [(older, 1, 1, 100)]]
    assert (third.matched, third.unmatched_quantity, third.unmatched_amount_minor) == ([], 1, 100)


async def test_no_more_is_refunded_than_was_paid(run: Run, sold: Sold, db: Books) -> None:
    order = await sold(10, ("mug", 2, 100))
    view, (refund,) = await give_back(run, 2, 150)

    assert matched(view) == [(order, 1, 2, 200)]
    assert (view.unmatched_quantity, view.unmatched_amount_minor) == (0, 100)
    assert isinstance(refund, RefundPayment)
    assert refund.amount_minor == 200
    assert await db.value("select refunded_minor from orders.orders") == 200


async def test_what_was_free_comes_back_without_a_refund(run: Run, sold: Sold, db: Books) -> None:
    order = await sold(10, ("mug", 1, 0), ("tea", 1, 100))
    view, emitted = await give_back(run, 1, 0)

    assert (matched(view), emitted) == ([(order, 1, 1, 0)], [])
    assert await db.value("select status from orders.return_lines") == "succeeded"


async def test_only_confirmed_orders_of_that_customer_count(run: Run, sold: Sold, db: Books) -> None:
    await sold(10, ("mug", 1, 100), customer="somebody-else")
    await sold(10, ("mug", 1, 100), customer=None)
    for state in (State.HOLDING, State.REJECTED, State.CANCELLED, State.REFUNDING):
        await order_at(run, state)
    view, emitted = await give_back(run, 2, 100)

    assert (view.matched, view.unmatched_quantity, emitted) == ([], 2, [])
    assert await db.all("select 1 from orders.returns") == []


async def test_one_key_is_one_return(ask: Ask, sold: Sold, db: Books) -> None:
    await sold(10, ("mug", 5, 100))
    body: dict[str, Any] = {
        "customer_id": CUSTOMER.subject,
        "sku": "mug",
        "quantity": 1,
        "unit_price_minor": 100,
        "returned_at": NOW.isoformat(),
        "reason": "chipped",
    }
    first, again = [
        await ask(return_goods, "/v1/admin/returns", body, roles=("admin",), subject="ann", idempotency_key="k")
        for _ in range(2)
    ]

    assert (first.status, first.body) == (again.status, again.body)
    assert first.status == 201
    assert json.loads(first.body)["matched"][0]["quantity"] == 1
    assert await db.value("select returned_quantity from orders.order_lines") == 1
    assert await db.value("select actor from orders.returns") == "ann"
