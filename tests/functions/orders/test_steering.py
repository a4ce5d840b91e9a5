"""Operators see where sagas stand, and lead on those that are stuck: once, with a reason, and it is kept who did it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.orders.advance_order import advance_order
from functions.orders.compensate_saga import compensate_saga
from functions.orders.drive_sagas import drive_sagas
from functions.orders.get_saga import GetSaga, get_saga
from functions.orders.list_sagas import ListSagas, list_sagas
from functions.orders.retry_saga import retry_saga
from functions.orders.skip_saga_step import skip_saga_step
from shared.inventory.events import HoldReleased, ReleaseHold, StockHeld
from shared.orders.events import OrderCancelled, OrderCancelling, SagaRetried, SagaSkipped
from shared.orders.problems import NoSteering, SagaHasMoved, UnknownOrder
from shared.orders.saga import CANCELLABLE, FINAL, WAITS_FOR, State
from shared.orders.steering import Steer
from shared.payments.events import PaymentVoided, RefundFailed, RefundPayment, VoidPayment
from tests.conftest import ADMIN, NOW, Ask, Books, Run, delivered
from tests.functions.orders.sagas import CANCELLED, WAYS, happens, moves, order_at, standing, told

WHY = "the bank says so"
STUCK_REFUND = (*WAYS[State.COMPLETED], CANCELLED, RefundFailed)


def steer(order: UUID, state: State = State.NEEDS_ATTENTION) -> Steer:
    return Steer(order_id=order, state=state, reason=WHY)


async def stuck_at_refund(run: Run) -> UUID:
    order = await order_at(run, State.HOLDING)
    for what in STUCK_REFUND:
        await happens(run, order, what)
    return order


async def test_a_void_that_was_refused_is_tried_under_another_key(run: Run, db: Books) -> None:
    order = await order_at(run, State.NEEDS_ATTENTION)
    view, emitted = await run(retry_saga, steer(order), caller=ADMIN)

    assert view.state == State.VOIDING
    assert emitted == [
        VoidPayment(order_id=order, command_key=f"{order}/void/2"),
        SagaRetried(order_id=order, state="voiding", reason=WHY),
    ]
    assert await happens(run, order, PaymentVoided) == [], "that is an answer to the first one"
    voided = told(PaymentVoided, order).model_copy(update={"command_key": f"{order}/void/2"})
    assert (await run(advance_order, voided))[1] == [ReleaseHold(order_id=order)]
    assert await happens(run, order, HoldReleased) == [OrderCancelled(order_id=order, reason="capture_failed")]
    audit = await db.all("select actor, action, reason, detail from orders.audit where action <> 'order.recorded'")
    assert [tuple(row) for row in audit] == [(ADMIN.subject, "saga.retried", WHY, {"state": "needs_attention"})]


async def test_a_refund_that_was_refused_is_tried_under_another_key(run: Run) -> None:
    order = await stuck_at_refund(run)
    _, emitted = await run(retry_saga, steer(order), caller=ADMIN)
    assert isinstance(emitted[0], RefundPayment)
    assert (emitted[0].command_key, emitted[0].refund_id) == (f"{order}/refund/2", order)


async def test_what_a_person_did_by_hand_is_skipped(run: Run, db: Books) -> None:
    for order, payment in (
        (await order_at(run, State.NEEDS_ATTENTION), "voided"),
        (await stuck_at_refund(run), "refunded"),
    ):
        _, emitted = await run(skip_saga_step, steer(order), caller=ADMIN)
        assert emitted == [
            ReleaseHold(order_id=order),
            SagaSkipped(order_id=order, state="releasing", reason=WHY),
        ]
        after = await standing(db, order)
        assert (after.payment, after.stuck) == (payment, None)
        assert await happens(run, order, HoldReleased) != []


async def test_nothing_else_is_skipped(run: Run, db: Books) -> None:
    for state in WAYS:
        if state in (State.NEEDS_ATTENTION, State.VOIDING, State.REFUNDING):
            continue
        order = await order_at(run, state)
        before = await standing(db, order)
        with pytest.raises(NoSteering):
            await run(skip_saga_step, steer(order, state), caller=ADMIN)
        assert await standing(db, order) == before


async def test_a_command_is_sent_again_at_once_as_it_was(run: Run, db: Books) -> None:
    for state in WAITS_FOR:
        order = await order_at(run, state)
        _, due = await run(drive_sagas, now=NOW + timedelta(seconds=930))
        view, emitted = await run(retry_saga, steer(order, state), caller=ADMIN)
        assert emitted[0] in due, state
        assert emitted[1] == SagaRetried(order_id=order, state=state.value, reason=WHY)
        assert (view.asked, (await standing(db, order)).asked) == (3, 3)


async def test_a_saga_that_cannot_go_forward_is_turned_back(run: Run, db: Books) -> None:
    for state in CANCELLABLE - FINAL:
        order = await order_at(run, state)
        _, emitted = await run(compensate_saga, steer(order, state), caller=ADMIN)
        assert OrderCancelling(order_id=order, reason=WHY) in emitted
        assert (await standing(db, order)).ending == "cancelled"
    for state in WAYS.keys() - (CANCELLABLE - FINAL):
        with pytest.raises(NoSteering):
            await run(compensate_saga, steer(await order_at(run, state), state), caller=ADMIN)


@pytest.mark.parametrize("function", [retry_saga, skip_saga_step, compensate_saga])
async def test_nobody_steers_what_has_moved_or_is_not_there(function: Any, run: Run) -> None:
    order = await order_at(run, State.AUTHORIZING)
    with pytest.raises(SagaHasMoved) as moved:
        await run(function, steer(order, State.HOLDING), caller=ADMIN)
    assert moved.value.state_now == "authorizing"
    with pytest.raises(UnknownOrder):
        await run(function, steer(UUID(int=404)), caller=ADMIN)


async def test_of_two_operators_one_leads_on(run: Run, ask: Ask, db: Books) -> None:
    for number in range(10):
        order = await order_at(run, State.NEEDS_ATTENTION)
        body = {"state": "needs_attention", "reason": WHY}
        answers = await asyncio.gather(
            *(
                ask(
                    function,
                    f"/v1/admin/sagas/{order}/{what}",
                    body,
                    roles=("operator",),
                    idempotency_key=f"{what}{number}",
                )
                for function, what in ((retry_saga, "retry"), (skip_saga_step, "skip"))
            )
        )
        assert sorted(answer.status for answer in answers) == [202, 409]
        assert len(await moves(db, order)) == len(WAYS[State.NEEDS_ATTENTION]) + 2


async def test_answers_of_many_orders_are_one_transaction(run: Run, endpoint_of: Callable[..., Any], db: Books) -> None:

    orders = [await order_at(run, State.HOLDING) for _ in range(5)]
    endpoint = endpoint_of(advance_order)
    sent = [delivered(told(StockHeld, order)) for order in [*orders, orders[0]]]
    answers = await asyncio.gather(*(endpoint.handle("POST", "/", b"", *one) for one in sent))
    assert {answer.status for answer in answers} == {204}
    assert await db.value("select count(distinct xmin::text) from platform.inbox") == 1
    assert {row.state for row in await db.all("select state from orders.sagas")} == {"authorizing"}
    assert await db.value("select count(*) from platform.outbox where type like '%%authorize.v1'") == 5


async def test_sagas_are_listed_by_where_they_stand(run: Run, db: Books) -> None:
    orders = {state: await order_at(run, state) for state in WAYS}
    hours = """update orders.sagas
      set updated_at = now() - case state when 'voiding' then interval '1 hour' else interval '0' end"""
    await db.run(hours)

    async def listed(**wanted: Any) -> set[UUID]:
        page, _ = await run(list_sagas, ListSagas(**wanted), caller=ADMIN)
        return {item.order_id for item in page.items}

    ended = FINAL - {State.NEEDS_ATTENTION}
    assert await listed() == {order for state, order in orders.items() if state not in ended}
    assert await listed(state=["rejected", "releasing"]) == {orders[State.REJECTED], orders[State.RELEASING]}
    assert await listed(older_than_s=1800, limit=50) == {orders[State.VOIDING]}
    assert await listed(asked_at_least=2) == set()


async def test_pages_of_sagas_follow_each_other(run: Run, ask: Ask) -> None:
    orders = {str(await order_at(run, State.HOLDING)) for _ in range(5)}
    seen: list[str] = []
    path = "/v1/admin/sagas?limit=2"
    while path:
        answer = await ask(list_sagas, path, roles=("operator",))
        page = json.loads(answer.body)
        seen += [item["order_id"] for item in page["items"]]
        path = f"/v1/admin/sagas?limit=2&cursor={page['next_cursor']}" if page.get("next_cursor") else ""
    assert (len(seen), set(seen)) == (5, orders)


async def test_a_saga_is_told_step_by_step(run: Run, deliver: Callable[..., Awaitable[Any]]) -> None:
    order = await order_at(run, State.NEEDS_ATTENTION)
    view, _ = await run(get_saga, GetSaga(order_id=order), caller=ADMIN)

    assert [(step.state, step.asked_for, step.answer) for step in view.steps][-2:] == [
        ("voiding", "VoidPayment", "VoidFailed"),
        ("needs_attention", None, None),
    ]
    assert (view.stuck, view.waits_for, view.tries) == ("void_failed", None, {})
    with pytest.raises(UnknownOrder):
        await run(get_saga, GetSaga(order_id=UUID(int=404)), caller=ADMIN)
