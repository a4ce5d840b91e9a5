"""Two who want the same of one order at once: one wins, the other is told so, and the books agree."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg

from functions.orders.advance_order import advance_order
from functions.orders.cancel_order import cancel_order
from functions.orders.return_goods import return_goods
from infra.local.postgres import Cloned
from shared.orders.saga import State
from shared.payments.events import PaymentCaptured, RefundPayment
from shared.runtime.answers import Answer
from tests.conftest import CUSTOMER, NOW, Ask, Books, Run
from tests.functions.orders.sagas import order_at, standing, told

ROUNDS = 15


async def test_a_cancellation_against_the_answer_it_would_wait_for(
    run: Run, ask: Ask, deliver: Callable[..., Awaitable[Answer]], db: Books
) -> None:
    for number in range(ROUNDS):
        order = await order_at(run, State.CAPTURING)
        cancellation, answer = await asyncio.gather(
            ask(
                cancel_order,
                f"/v1/orders/{order}/cancel",
                {"reason": "changed my mind"},
                roles=("customer",),
                idempotency_key=f"k{number}",
            ),
            deliver(advance_order, told(PaymentCaptured, order)),
        )
        assert (cancellation.status, answer.status) == (202, 204)
        assert (await standing(db, order)).state == State.REFUNDING, "whoever was first"
        refunds = await db.value(
            "select count(*) from platform.outbox where key = %(order)s and type = %(refund)s",
            order=str(order),
            refund=RefundPayment.type,
        )
        assert refunds == 1


async def test_two_cancellations(run: Run, ask: Ask) -> None:
    for number in range(ROUNDS):
        order = await order_at(run, State.COMPLETED)
        answers = await asyncio.gather(
            *(
                ask(
                    cancel_order,
                    f"/v1/orders/{order}/cancel",
                    {"reason": "changed my mind"},
                    roles=("customer",),
                    idempotency_key=f"k{number}-{caller}",
                )
                for caller in range(3)
            )
        )
        assert sorted(answer.status for answer in answers) == [202, 409, 409]


async def test_returns_of_the_same_goods(run: Run, ask: Ask, db: Books) -> None:
    body: dict[str, Any] = {
        "customer_id": CUSTOMER.subject,
        "sku": "mug",
        "quantity": 1,
        "unit_price_minor": 1000,
        "returned_at": NOW.isoformat(),
        "reason": "chipped",
    }
    await order_at(run, State.COMPLETED)
    answers = await asyncio.gather(
        *(
            ask(return_goods, "/v1/admin/returns", body, roles=("admin",), idempotency_key=f"k{number}")
            for number in range(6)
        )
    )

    assert {answer.status for answer in answers} == {201}
    matched = [json.loads(answer.body)["matched"] for answer in answers]
    assert sorted(len(lines) for lines in matched) == [0, 0, 0, 0, 1, 1]
    assert await db.value("select returned_quantity from orders.order_lines") == 2
    assert await db.value("select refunded_minor from orders.orders") == 2000


async def test_a_return_against_a_cancellation(run: Run, ask: Ask, db: Books, database: Cloned) -> None:
    """Money is given back once: by the return, or by the cancellation, whoever comes to the order first."""
    body = {"customer_id": CUSTOMER.subject, "sku": "mug", "quantity": 2, "unit_price_minor": 1295, "reason": "chipped"}

    async def give_back(key: str) -> Answer:
        returned = body | {"returned_at": NOW.isoformat()}
        return await ask(return_goods, "/v1/admin/returns", returned, roles=("admin",), idempotency_key=key)

    async def cancel(key: str, order: UUID) -> Answer:
        path, why = f"/v1/orders/{order}/cancel", {"reason": "changed my mind"}
        return await ask(cancel_order, path, why, roles=("customer",), idempotency_key=key)

    for return_first in (True, False):
        order = await order_at(run, State.COMPLETED)
        async with await psycopg.AsyncConnection.connect(database.owner_url) as somebody:
            await somebody.execute("select from orders.orders where id = %s for update", (order,))
            wants = [give_back(f"r{return_first}"), cancel(f"c{return_first}", order)]
            tasks = []
            for number, want in enumerate(wants if return_first else wants[::-1], 1):
                tasks.append(asyncio.create_task(want))
                await waiting(db, number)
        came_back, cancellation = [await task for task in (tasks if return_first else tasks[::-1])]

        assert came_back.status == 201
        matched = json.loads(came_back.body)["matched"]
        assert (cancellation.status, len(matched)) == ((409, 1) if return_first else (202, 0))
        refunds = await db.value(
            "select count(*) from platform.outbox where key = %(order)s and type = %(refund)s",
            order=str(order),
            refund=RefundPayment.type,
        )
        assert refunds == 1
        await db.run("update orders.order_lines set returned_quantity = quantity")


async def waiting(db: Books, count: int) -> None:
    """Returns when so many wait for a lock of this database."""
    sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(30):
        while await db.value(sql) < count:  # noqa: ASYNC110 - what Postgres does has no event to wait for
            await asyncio.sleep(0)
