"""What is not sent is not paid for: units cancelled by line or found short give back exactly their money."""

import asyncio
import json
from random import Random
from typing import Any
from uuid import UUID

import pytest

from functions.orders.cancel_line import CancelLine, cancel_line
from functions.orders.cancel_order import CancelOrder, cancel_order
from functions.orders.drive_steps import drive_steps
from functions.orders.give_up_step import GiveUpStep, give_up_step
from functions.orders.list_steps import ListSteps, list_steps
from functions.orders.refund_order import RefundOrder, refund_order
from functions.orders.retry_saga import retry_saga
from functions.orders.retry_step import RetryStep, retry_step
from functions.orders.ship_fulfilment import ShipFulfilment, ship_fulfilment
from functions.orders.short_fulfilment import ShortFulfilment, short_fulfilment
from shared.inventory.events import ReleasePart, ShipHold
from shared.orders.events import OrderCancelled, OrderCompleted
from shared.orders.fulfilment_events import FulfilmentCancelled
from shared.orders.fulfilment_problems import FulfilmentHasMoved, MoreThanPaid, NotFailed, NotSoMany, OrderNotReady
from shared.orders.problems import CannotCancel, UnknownOrder
from shared.orders.saga import State
from shared.orders.steering import Steer
from shared.orders.steps import CAPTURES, PAUSE
from shared.payments.events import CaptureFailed, CapturePayment, RefundFailed, RefundPayment
from shared.runtime import Event
from shared.runtime.auth import Caller
from tests.conftest import ADMIN, CUSTOMER, Ask, Books
from tests.functions.orders.shipping import Flow, of, order_row, paid


async def less(flow: Flow, order: UUID, line_no: int, quantity: int | None = None, caller: Caller = CUSTOMER) -> Any:
    request = CancelLine(order_id=order, line_no=line_no, quantity=quantity, reason="one too many")
    return await flow.do(cancel_line, request, caller)


async def test_units_of_a_line_are_taken_off_and_refunded(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100), ("plate", 1, 200))
    await less(flow, order, 1, 2)
    assert await order_row(db, order) == ("confirmed", "unfulfilled", 200, 0)
    assert await paid(db, order) == (500, 200, 0)
    assert await db.value("select committed from inventory.stock where sku = 'mug'") == 1

    await less(flow, order, 2)
    assert await order_row(db, order) == ("confirmed", "unfulfilled", 400, 0)
    assert [event.location for event in of(FulfilmentCancelled, flow.said)] == ["LEEDS"]
    await flow.ship((await flow.fulfilments(order))["LON"])
    assert await order_row(db, order) == ("completed", "shipped", 400, 0)
    assert await paid(db, order) == (500, 400, 0)


async def test_what_is_not_captured_yet_is_voided_by_its_share(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100), ("plate", 1, 200), capture="at_shipment", shipping=50)
    await less(flow, order, 2)
    assert await paid(db, order) == (0, 0, 200)
    await flow.ship((await flow.fulfilments(order))["LON"])
    assert await paid(db, order) == (350, 0, 200)
    assert await order_row(db, order) == ("completed", "shipped", 0, 350)


async def test_an_order_of_which_nothing_is_left_is_cancelled_with_its_shipping(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 1, 100), ("gift", 2, 10), shipping=50)
    view = await less(flow, order, 2)
    assert [line.cancelled for line in view.lines] == [0, 2], "what is not tracked needs nobody's leave"
    assert await order_row(db, order) == ("confirmed", "unfulfilled", 20, 0)
    await less(flow, order, 1, 1)
    assert (await order_row(db, order))[0] == "cancelled"
    assert await paid(db, order) == (170, 170, 0)
    assert len(of(OrderCancelled, flow.said)) == 1
    assert of(OrderCompleted, flow.said) == []


async def test_what_is_not_there_to_cancel_is_not_cancelled(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 2, 100), ("plate", 1, 100))
    for line_no, quantity in ((1, 3), (3, None), (3, 1)):
        with pytest.raises(NotSoMany):
            await less(flow, order, line_no, quantity)
    flow.held_up = {ReleasePart}
    await less(flow, order, 1, 1)
    with pytest.raises(NotSoMany):
        await less(flow, order, 1, 2)
    await flow.let_go()
    await flow.ship((await flow.fulfilments(order))["LON"])
    with pytest.raises(NotSoMany):
        await less(flow, order, 1)
    with pytest.raises(UnknownOrder):
        await less(flow, order, 2, caller=Caller("somebody", frozenset({"customer"})))
    assert await order_row(db, order) == ("confirmed", "partial", 100, 0)


async def test_a_cancellation_of_all_gives_back_what_a_line_was_about_to(flow: Flow, db: Books) -> None:
    """The line's answer comes when the order is being cancelled whole: its money is in the rest."""
    order = await flow.ordered(("mug", 2, 100), ("plate", 1, 100))
    flow.held_up = {ReleasePart}
    await less(flow, order, 1, 1)
    await flow.do(cancel_order, CancelOrder(order_id=order, reason="changed my mind"), CUSTOMER)
    await flow.let_go()
    assert (await order_row(db, order))[0] == "cancelled"
    assert await paid(db, order) == (300, 300, 0)


async def test_what_a_line_gave_back_counts_where_the_cancellation_of_all_is_stuck(flow: Flow, db: Books) -> None:
    """Its stock is free again, and the refund that a person sees to is of the whole order."""
    order = await flow.ordered(("mug", 2, 100), ("plate", 1, 100))
    flow.held_up = {ReleasePart, RefundPayment}
    await less(flow, order, 1, 1)
    await flow.do(cancel_order, CancelOrder(order_id=order, reason="changed my mind"), CUSTOMER)
    (refund,) = of(RefundPayment, flow.kept)
    flow.kept.remove(refund)
    refused = RefundFailed(
        order_id=order, refund_id=order, command_key=refund.command_key, amount_minor=300, code="disputed"
    )
    await flow.carry([refused])
    await flow.let_go()
    assert await db.value("select state from orders.sagas") == "needs_attention"
    assert await db.value("select cancelled_quantity from orders.order_lines where line_no = 1") == 1
    assert await flow.violated() == []

    await flow.do(retry_saga, Steer(order_id=order, state=State.NEEDS_ATTENTION, reason="the dispute is over"))
    assert (await order_row(db, order))[0] == "cancelled"
    assert await paid(db, order) == (300, 300, 0)


async def test_the_last_lines_cancelled_at_once_cancel_the_order(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 2, 100), ("plate", 1, 100))
    flow.held_up = {ReleasePart}
    await less(flow, order, 1)
    await less(flow, order, 2)
    await flow.let_go()
    assert (await order_row(db, order))[0] == "cancelled"
    assert await paid(db, order) == (300, 300, 0)


async def test_what_cannot_be_sent_is_taken_off_and_paid_back(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100), ("pot", 1, 70))
    id = (await flow.fulfilments(order))["LON"]
    request = {"fulfilment_id": id, "reason": "broken", "lines": [{"line_no": 1, "quantity": 1}]}
    view = await flow.do(short_fulfilment, ShortFulfilment.model_validate(request))
    assert [line.open for line in view.lines] == [2, 1]
    await flow.ship(id, {1: 2})
    rest = (await flow.fulfilments(order))["LON"]
    await flow.do(short_fulfilment, ShortFulfilment(fulfilment_id=rest, reason="broken"))
    assert await order_row(db, order) == ("completed", "shipped", 170, 0)
    assert await paid(db, order) == (370, 170, 0)
    assert await db.value("select count(*) from orders.audit where action = 'fulfilment.short'") == 2


async def test_a_capture_that_fails_is_tried_again_and_then_a_person_is_called(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 2, 100), ("plate", 1, 50), capture="at_shipment")
    flow.held_up = {CapturePayment}
    await flow.ship((await flow.fulfilments(order))["LON"])
    for attempt in range(1, CAPTURES + 1):
        (asked,) = flow.kept
        flow.kept = []
        assert isinstance(asked, CapturePayment)
        assert asked.command_key.endswith(f"/{attempt}") is (attempt > 1)
        refused = CaptureFailed(order_id=order, command_key=asked.command_key, amount_minor=200, code="suspended")
        await flow.carry([refused, refused])
        flow.at += PAUSE
        await flow.tick(drive_steps)
    (step,) = (await flow.run(list_steps, ListSteps(), caller=ADMIN))[0].items
    assert (step.state, step.kind, step.answer, step.tries) == ("needs_attention", "capture", "suspended", CAPTURES)
    await flow.ship((await flow.fulfilments(order))["LEEDS"])
    await flow.let_go()
    assert await order_row(db, order) == ("confirmed", "shipped", 0, 50), "it is not complete without its money"

    await flow.do(retry_step, RetryStep(step_id=step.id, reason="the bank says it is fine now"))
    assert await order_row(db, order) == ("completed", "shipped", 0, 250)
    assert await paid(db, order) == (250, 0, 0)
    with pytest.raises(NotFailed):
        await flow.do(retry_step, RetryStep(step_id=step.id, reason="again"))


async def test_a_capture_that_is_given_up_is_voided_and_the_order_is_complete(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 2, 100), capture="at_shipment")
    flow.held_up = {CapturePayment}
    await flow.ship((await flow.fulfilments(order))["LON"])
    for _ in range(CAPTURES):
        (asked,) = flow.kept
        flow.kept = []
        assert isinstance(asked, CapturePayment)
        await flow.carry([CaptureFailed(order_id=order, command_key=asked.command_key, amount_minor=200, code="no")])
        flow.at += PAUSE
        await flow.tick(drive_steps)
    step = await db.value("select id from orders.steps where kind = 'capture'")
    await flow.do(give_up_step, GiveUpStep(step_id=step, reason="paid in cash"))
    assert await order_row(db, order) == ("completed", "shipped", 0, 0)
    assert await paid(db, order) == (0, 0, 200)
    with pytest.raises(NotFailed):
        await flow.do(give_up_step, GiveUpStep(step_id=step, reason="again"))


async def test_a_command_without_an_answer_is_sent_again_under_its_key(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 2, 100), ("pot", 1, 10))
    flow.held_up = {ReleasePart}
    await less(flow, order, 1, 1)
    assert await flow.tick(drive_steps) == []
    flow.at += PAUSE
    (again,) = await flow.tick(drive_steps)
    first, second = flow.kept
    assert first == second == again
    await flow.let_go()
    assert await paid(db, order) == (210, 100, 0), "once"


async def test_ship_against_cancel_line_against_cancel_whole_has_one_winner(flow: Flow, ask: Ask, db: Books) -> None:
    for round in range(8):
        order = await flow.ordered(("mug", 1, 100))
        (fulfilment,) = (await flow.fulfilments(order)).values()
        wishes = [
            ask(
                ship_fulfilment,
                f"/v1/admin/fulfilments/{fulfilment}/ship",
                {},
                roles=("operator",),
                idempotency_key=f"s{round}",
            ),
            ask(
                cancel_line,
                f"/v1/orders/{order}/lines/1/cancel",
                {"reason": "no"},
                roles=("customer",),
                idempotency_key=f"l{round}",
            ),
            ask(
                cancel_order,
                f"/v1/orders/{order}/cancel",
                {"reason": "no"},
                roles=("customer",),
                idempotency_key=f"c{round}",
            ),
        ]
        turn = round % 3
        answers = await asyncio.gather(*(wishes[turn:] + wishes[:turn]))
        assert sorted(answer.status for answer in answers) == [202, 409, 409], [json.loads(one.body) for one in answers]
        commands = await db.all(
            """select type, data from platform.outbox where key = %(key)s and topic like '%%commands'
            and type in ('shop.inventory.ship.v1', 'shop.inventory.release.v1', 'shop.payments.refund.v1')""",
            key=str(order),
        )
        assert len(commands) == 1, "a shipment or a refund, never both"
        kind: Any = ShipHold if commands[0].type == ShipHold.type else None
        if kind is not None:
            await flow.carry([kind.model_validate_json(commands[0].data)])
            assert (await order_row(db, order))[0] == "completed"
        else:
            await flow.carry([RefundPayment.model_validate_json(commands[0].data)])
            assert (await order_row(db, order))[0] == "cancelled"


async def tried(flow: Flow, function: Any, request: Any, caller: Caller = ADMIN) -> list[Event]:
    """What is said of it; nothing where it is refused."""
    try:
        _, emitted = await flow.run(function, request, caller=caller, now=flow.at)
    except (FulfilmentHasMoved, NotSoMany, OrderNotReady, MoreThanPaid, CannotCancel):
        return []
    return emitted


@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(4, 60))])
async def test_whatever_is_asked_at_once_and_heard_in_any_order_the_books_agree(
    seed: int, flow: Flow, db: Books
) -> None:
    """The flow checks every invariant at its end."""
    chance = Random(seed)
    orders = [
        await flow.ordered(
            ("mug", 3, 100), ("plate", 2, 33), ("gift", 1, 10), capture=capture, shipping=chance.choice([0, 50])
        )
        for capture in ("now", "at_shipment")
    ]
    flow.chance = chance
    for _ in range(14):
        said: list[Event] = []
        for order in chance.sample(orders, 2):
            known = await db.all(
                "select id from orders.fulfilments where order_id = %(order)s order by id", order=order
            )
            one = chance.choice(known).id
            lines = [{"line_no": chance.randint(1, 3), "quantity": chance.randint(1, 2)}]
            less = {"order_id": order, "line_no": chance.randint(1, 3), "quantity": chance.choice([1, None])}
            wishes: list[tuple[Any, Any, Caller]] = [
                (ship_fulfilment, ShipFulfilment.model_validate({"fulfilment_id": one, "lines": lines}), ADMIN),
                (ship_fulfilment, ShipFulfilment(fulfilment_id=one), ADMIN),
                (short_fulfilment, ShortFulfilment.model_validate({"fulfilment_id": one, "reason": "gone"}), ADMIN),
                (cancel_line, CancelLine.model_validate({**less, "reason": "too many"}), CUSTOMER),
                (refund_order, RefundOrder(order_id=order, amount_minor=chance.randint(1, 60), reason="late"), ADMIN),
                (cancel_order, CancelOrder(order_id=order, reason="changed my mind"), CUSTOMER),
            ]
            for function, request, caller in chance.choices(wishes, weights=[6, 2, 2, 6, 2, 1], k=2):
                said += await tried(flow, function, request, caller)
        await flow.carry(said)
        flow.at += PAUSE
        await flow.tick(drive_steps)
    for row in await db.all("select id from orders.fulfilments where status = 'pending'"):
        await flow.carry(await tried(flow, ship_fulfilment, ShipFulfilment(fulfilment_id=row.id)))
    statuses = await db.all("select status from orders.orders")
    assert {row.status for row in statuses} <= {"completed", "cancelled"}
