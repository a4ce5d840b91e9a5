"""An order is cancelled at any moment: what is under way is waited for, then given back."""

import json
from uuid import UUID

import pytest

from functions.orders.cancel_order import CancelOrder, cancel_order
from functions.orders.return_goods import ReturnGoods, return_goods
from shared.inventory.events import ReleaseHold
from shared.orders.events import OrderCancelling
from shared.orders.problems import CannotCancel, UnknownOrder
from shared.orders.saga import CANCELLABLE, STEERED, State
from shared.payments.events import RefundPayment, VoidPayment
from shared.runtime.auth import Caller
from tests.conftest import ADMIN, CUSTOMER, NOW, Ask, Books, Run
from tests.functions.orders.sagas import CANCELLED, TOTAL, WAYS, moves, order_at, standing

STRANGER = Caller("customer-2", frozenset({"public", "customer"}))


async def test_an_order_is_cancelled_wherever_it_is(run: Run, db: Books) -> None:
    for move in STEERED:
        if move.when is not OrderCancelling or move.only == "costs_nothing":
            continue
        order = await order_at(run, move.at, db, capture=move.only or "now")
        view, emitted = await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED))

        assert (view.status, view.reason) == ("cancelling", CANCELLED)
        after = await standing(db, order)
        assert (after.state, after.ending) == (move.to, "cancelled")
        assert after.deadline is not None
        asked = {
            RefundPayment: RefundPayment(
                order_id=order, refund_id=order, amount_minor=TOTAL, reason=CANCELLED, command_key=f"{order}/refund"
            ),
            VoidPayment: VoidPayment(order_id=order, command_key=f"{order}/void"),
        }
        expected = [asked[move.ask]] if move.ask in asked else []
        assert emitted == [*expected, OrderCancelling(order_id=order, reason=CANCELLED)]
        assert (await moves(db, order))[-1] == (move.at, move.to, "OrderCancelling", move.ask and move.ask.__name__)


async def test_what_cost_nothing_is_cancelled_without_a_refund(run: Run, db: Books) -> None:
    order = await order_at(run, State.COMPLETED)
    await db.run("update orders.orders set refunded_minor = total_minor")
    _, emitted = await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED))

    assert emitted == [ReleaseHold(order_id=order), OrderCancelling(order_id=order, reason=CANCELLED)]
    assert (await standing(db, order)).state == State.RELEASING


async def test_what_was_refunded_before_is_not_refunded_again(run: Run, db: Books) -> None:
    order = await order_at(run, State.COMPLETED)
    await db.run("update orders.orders set refunded_minor = 590")
    _, emitted = await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED))
    assert [event.amount_minor for event in emitted if isinstance(event, RefundPayment)] == [TOTAL - 590]


async def test_once_goods_are_on_their_way_an_order_cannot_be_cancelled_whole(run: Run, db: Books) -> None:
    for fulfilment in ("shipping", "partial", "shipped", "delivered"):
        order = await order_at(run, State.COMPLETED, db, fulfilment=fulfilment)
        with pytest.raises(CannotCancel):
            await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED))
        assert (await standing(db, order)).state == State.COMPLETED


async def test_who_cancelled_for_the_customer_is_kept(run: Run, db: Books) -> None:
    for caller, kept in ((CUSTOMER, []), (ADMIN, [(ADMIN.subject, "order.cancelled", CANCELLED)])):
        order = await order_at(run, State.HOLDING)
        await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED), caller=caller)
        rows = await db.all(
            """select actor, action, reason from orders.audit
            where order_id = %(id)s and action <> 'order.recorded'""",
            id=order,
        )
        assert [tuple(row) for row in rows] == kept


async def test_what_has_ended_or_is_ending_cannot_be_cancelled(run: Run, db: Books) -> None:
    for state in WAYS.keys() - CANCELLABLE:
        order = await order_at(run, state)
        before = await standing(db, order)
        with pytest.raises(CannotCancel) as refused:
            await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED))

        assert refused.value.status_now == before.status
        assert await standing(db, order) == before


async def test_an_order_of_which_goods_came_back_cannot_be_cancelled_whole(run: Run) -> None:
    order = await order_at(run, State.COMPLETED)
    came_back = ReturnGoods(
        customer_id=CUSTOMER.subject, sku="mug", quantity=1, unit_price_minor=100, returned_at=NOW, reason="chipped"
    )
    await run(return_goods, came_back, caller=ADMIN)
    with pytest.raises(CannotCancel):
        await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED))


async def test_only_its_owner_and_admins_cancel_an_order(run: Run) -> None:
    order = await order_at(run, State.HOLDING)
    for caller, id in ((STRANGER, order), (CUSTOMER, UUID(int=404))):
        with pytest.raises(UnknownOrder):
            await run(cancel_order, CancelOrder(order_id=id, reason=CANCELLED), caller=caller)
    view, _ = await run(cancel_order, CancelOrder(order_id=order, reason=CANCELLED), caller=ADMIN)
    assert view.status == "cancelling"


async def test_cancelled_twice_under_one_key_is_cancelled_once(ask: Ask, run: Run, db: Books) -> None:
    order = await order_at(run, State.AUTHORIZING)
    path, body = f"/v1/orders/{order}/cancel", {"reason": CANCELLED}
    first, again = [
        await ask(cancel_order, path, body, roles=("customer",), idempotency_key="cancel-1") for _ in range(2)
    ]
    anew = await ask(cancel_order, path, body, roles=("customer",), idempotency_key="cancel-2")

    assert (first.status, first.body) == (again.status, again.body)
    assert first.status == 202
    assert (anew.status, json.loads(anew.body)["status_now"]) == (409, "cancelling")
    assert len(await moves(db, order)) == 3
