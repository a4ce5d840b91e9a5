"""An order's way: every move of the table is made as it says, recorded, and no event moves it twice."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.orders.advance_order import advance_order
from shared.inventory.events import (
    CommitHold,
    HoldCommitted,
    HoldExpired,
    HoldRejected,
    HoldReleased,
    ReleaseHold,
    StockHeld,
)
from shared.orders.events import (
    OrderAwaitingCustomer,
    OrderCancelled,
    OrderCancelling,
    OrderConfirmed,
    OrderExpired,
    OrderRejected,
    SagaStuck,
)
from shared.orders.saga import CONSUMED, FINAL, SAGA, STALE, WAITS_FOR, State, end, reaction, status_of
from shared.payments.events import (
    AuthorizePayment,
    CaptureFailed,
    CapturePayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    RefundPayment,
    RefundSucceeded,
    VoidFailed,
    VoidPayment,
)
from shared.runtime import Event
from tests.conftest import NOW, Books, Run
from tests.functions.orders.sagas import CANCELLED, TOTAL, WAYS, Told, happens, moves, order_at, standing, told

Deliver = Callable[..., Awaitable[Any]]


async def test_every_move_is_made_and_recorded(run: Run, db: Books) -> None:
    for move in SAGA:
        kept = {"waits": {"on_decline": "wait"}, "at_shipment": {"capture": "at_shipment"}}.get(move.only or "", {})
        order = await order_at(run, move.at, db, **kept)
        if move.only == "costs_nothing":
            await db.run("update orders.orders set refunded_minor = total_minor where id = %(id)s", id=order)
        before = await standing(db, order)
        emitted = await happens(run, order, move.when)

        after, ending = await standing(db, order), move.ending or before.ending
        to = move.to or end(ending)[0]
        assert (after.state, after.status) == (to, status_of(to, ending)), move
        assert (after.payment, after.ending) == (move.payment or before.payment, ending)
        assert (await moves(db, order))[-1] == (move.at, to, move.when.__name__, move.ask and move.ask.__name__)
        assert after.moves == before.moves + 1
        assert (after.deadline is None) == (to in FINAL)
        said = move.say if move.to else end(ending)[1]
        assert [type(event) for event in emitted] == [kind for kind in (move.ask, said) if kind]
        assert {event.key for event in emitted} <= {str(order)}


async def test_what_comes_too_late_changes_nothing(run: Run, db: Books) -> None:
    for state in WAYS:
        order = await order_at(run, state)
        before = await standing(db, order)
        for kind in CONSUMED:
            if reaction(state, kind) == STALE:
                assert await happens(run, order, kind) == []

        assert await standing(db, order) == before, state


Story = list[tuple[Told, list[Event]]]
ORDER = UUID(int=1)
KEYS = {name: f"{ORDER}/{name}" for name in ("authorize", "capture", "void", "refund")}
MONEY: dict[str, Any] = {"order_id": ORDER, "currency": "GBP", "total_minor": TOTAL}
AUTHORIZE = AuthorizePayment(
    order_id=ORDER,
    amount_minor=TOTAL,
    currency="GBP",
    payment_token="tok_approve",
    command_key=KEYS["authorize"],
)
COMMIT, RELEASE = CommitHold(order_id=ORDER), ReleaseHold(order_id=ORDER)
CAPTURE = CapturePayment(order_id=ORDER, command_key=KEYS["capture"])
VOID = VoidPayment(order_id=ORDER, command_key=KEYS["void"])
REFUND = RefundPayment(
    order_id=ORDER, refund_id=ORDER, amount_minor=TOTAL, reason=CANCELLED, command_key=KEYS["refund"]
)
CONFIRMED = OrderConfirmed(**MONEY)

AWAITING = OrderAwaitingCustomer(order_id=ORDER, reason="action_required", pay_by=NOW + timedelta(minutes=15))


def rejected(reason: str) -> Event:
    return OrderRejected(order_id=ORDER, reason=reason)


def expired(reason: str) -> Event:
    return OrderExpired(order_id=ORDER, reason=reason)


def cancelling(reason: str) -> Event:
    return OrderCancelling(order_id=ORDER, reason=reason)


def cancelled(reason: str) -> Event:
    return OrderCancelled(order_id=ORDER, reason=reason)


HELD: Story = [(StockHeld, [AUTHORIZE])]
PAID_FOR: Story = [*HELD, (PaymentAuthorized, [COMMIT])]
SOLD: Story = [*PAID_FOR, (HoldCommitted, [CAPTURE, CONFIRMED])]

STORIES: dict[str, tuple[Story, str, str, str | None]] = {
    # what happens and what is said and asked for then; how the order, its payment and the reason stand at last
    "sold": ([*SOLD, (PaymentCaptured, [])], "confirmed", "captured", None),
    "out of stock": ([(HoldRejected, [rejected("out_of_stock")])], "rejected", "none", "out_of_stock"),
    "declined": (
        [*HELD, (PaymentDeclined, [RELEASE]), (HoldReleased, [rejected("payment_declined")])],
        "rejected",
        "declined",
        "payment_declined",
    ),
    "the hold ran out while the customer paid": (
        [
            *HELD,
            (HoldExpired, []),
            (PaymentAuthorized, [VOID]),
            (PaymentVoided, [RELEASE]),
            (HoldReleased, [expired("hold_expired")]),
        ],
        "expired",
        "voided",
        "hold_expired",
    ),
    "the hold ran out before it was committed": (
        [*PAID_FOR, (HoldExpired, [VOID]), (PaymentVoided, [RELEASE]), (HoldReleased, [expired("hold_expired")])],
        "expired",
        "voided",
        "hold_expired",
    ),
    "the capture fails": (
        [
            *SOLD,
            (CaptureFailed, [VOID, cancelling("capture_failed")]),
            (PaymentVoided, [RELEASE]),
            (HoldReleased, [cancelled("capture_failed")]),
        ],
        "cancelled",
        "voided",
        "capture_failed",
    ),
    "neither capture nor void": (
        [
            *SOLD,
            (CaptureFailed, [VOID, cancelling("capture_failed")]),
            (VoidFailed, [SagaStuck(order_id=ORDER, state="needs_attention", reason="void_failed")]),
        ],
        "cancelling",
        "authorized",
        "capture_failed",
    ),
    "the customer must act, and does": (
        [
            *HELD,
            (PaymentActionRequired, [AWAITING]),
            (PaymentAuthorized, [COMMIT]),
            (HoldCommitted, [CAPTURE, CONFIRMED]),
        ],
        "confirmed",
        "authorized",
        None,
    ),
    "the customer must act, and cannot": (
        [
            *HELD,
            (PaymentActionRequired, [AWAITING]),
            (PaymentDeclined, [RELEASE]),
            (HoldReleased, [rejected("payment_declined")]),
        ],
        "rejected",
        "declined",
        "payment_declined",
    ),
    "the customer must act, and does not": (
        [
            *HELD,
            (PaymentActionRequired, [AWAITING]),
            (HoldExpired, [VOID]),
            (PaymentVoided, [RELEASE]),
            (HoldReleased, [expired("unpaid")]),
        ],
        "expired",
        "voided",
        "unpaid",
    ),
    "cancelled after the sale": (
        [
            *SOLD,
            (PaymentCaptured, []),
            (CANCELLED, [REFUND, cancelling(CANCELLED)]),
            (RefundSucceeded, [RELEASE]),
            (HoldReleased, [cancelled(CANCELLED)]),
        ],
        "cancelled",
        "refunded",
        CANCELLED,
    ),
    "cancelled while the money is taken": (
        [
            *SOLD,
            (CANCELLED, [cancelling(CANCELLED)]),
            (PaymentCaptured, [REFUND]),
            (RefundSucceeded, [RELEASE]),
            (HoldReleased, [cancelled(CANCELLED)]),
        ],
        "cancelled",
        "refunded",
        CANCELLED,
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_a_story(name: str, run: Run, db: Books) -> None:
    story, status, payment, reason = STORIES[name]
    assert await order_at(run, State.HOLDING) == ORDER
    for what, then in story:
        assert await happens(run, ORDER, what) == then, what

    after = await standing(db, ORDER)
    assert (after.status, after.payment, after.reason) == (status, payment, reason)


async def test_an_early_answer_is_kept_and_applied_when_its_state_is_there(run: Run, db: Books) -> None:
    order = await order_at(run, State.HOLDING)
    assert await happens(run, order, HoldCommitted) == []
    assert await happens(run, order, PaymentAuthorized) == []
    assert [kept["type"] for kept in (await standing(db, order)).early] == [
        HoldCommitted.type,
        PaymentAuthorized.type,
    ]

    emitted = await happens(run, order, StockHeld)

    assert [type(event) for event in emitted] == [AuthorizePayment, CommitHold, CapturePayment, OrderConfirmed]
    after = await standing(db, order)
    assert (after.state, after.early) == (State.CAPTURING, [])
    assert [cause for _, _, cause, _ in await moves(db, order)] == [
        "OrderCreated",
        "StockHeld",
        "PaymentAuthorized",
        "HoldCommitted",
    ]


async def test_a_move_is_recorded_with_the_event_that_caused_it_also_when_it_was_kept(
    run: Run, deliver: Deliver, db: Books
) -> None:
    order = await order_at(run, State.HOLDING)
    await deliver(advance_order, told(PaymentAuthorized, order), id="came-first")
    await deliver(advance_order, told(StockHeld, order), id="came-second")

    rows = await db.all("select cause, event_id from orders.saga_moves where position > 1 order by position")
    assert [tuple(row) for row in rows] == [("StockHeld", "came-second"), ("PaymentAuthorized", "came-first")]


async def test_one_event_delivered_again_moves_nothing_again(run: Run, deliver: Deliver, db: Books) -> None:
    order = await order_at(run, State.HOLDING)
    answers = [await deliver(advance_order, told(StockHeld, order), id="e1") for _ in range(3)]

    assert {answer.status for answer in answers} == {204}
    assert len(await moves(db, order)) == 2
    assert await db.value("select count(*) from platform.outbox where type = %(type)s", type=AuthorizePayment.type) == 1


async def test_the_same_answer_under_another_id_moves_nothing_again(run: Run, deliver: Deliver, db: Books) -> None:
    order = await order_at(run, State.HOLDING)
    await deliver(advance_order, told(StockHeld, order), id="e1")
    await deliver(advance_order, told(StockHeld, order), id="e2")

    assert len(await moves(db, order)) == 2


async def test_a_refund_for_returned_goods_is_not_the_sagas(run: Run, db: Books) -> None:
    order = await order_at(run, State.REFUNDING)
    of_a_return = {"command_key": f"refund/{UUID(int=9)}", "refund_id": UUID(int=9)}
    answer = told(RefundSucceeded, order).model_copy(update=of_a_return)
    _, emitted = await run(advance_order, answer)

    assert emitted == []
    assert (await standing(db, order)).state == State.REFUNDING


async def test_the_unknown_moves_nothing_and_is_not_kept(run: Run, db: Books) -> None:
    order = await order_at(run, State.CAPTURING)
    assert await happens(run, order, PaymentUnknown) == []
    assert (await standing(db, order)).early == []


async def test_an_order_that_nobody_knows_is_let_be(run: Run) -> None:
    assert await happens(run, UUID(int=404), StockHeld) == []


async def test_an_order_under_way_has_a_deadline(run: Run, db: Books) -> None:
    for state in WAITS_FOR:
        deadline = (await standing(db, await order_at(run, state))).deadline
        assert (deadline - NOW).total_seconds() == (930 if state is State.AWAITING_CUSTOMER else 30), state
