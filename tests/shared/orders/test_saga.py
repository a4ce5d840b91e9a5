"""The saga's table, held to what must be true of any such table."""

from collections import Counter

import pytest

from functions import load
from shared.inventory.events import (
    CommitHold,
    HoldCommitted,
    HoldExpired,
    HoldRejected,
    HoldReleased,
    HoldStock,
    ReleaseHold,
    StockHeld,
)
from shared.orders.saga import (
    ASKED,
    CANCEL,
    CONSUMED,
    EARLY,
    FINAL,
    REACHABLE,
    SAGA,
    SAID,
    STALE,
    START,
    WAITS_FOR,
    Ending,
    Move,
    State,
    end,
    reaction,
    status_of,
    successors,
)
from shared.payments.events import (
    AuthorizePayment,
    CaptureFailed,
    CapturePayment,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    RefundFailed,
    RefundPayment,
    RefundSucceeded,
    VoidFailed,
    VoidPayment,
)
from shared.runtime import Event

UNDER_WAY = [state for state in State if state not in FINAL]

ANSWERED_BY = {
    HoldStock: "hold_stock",
    AuthorizePayment: "authorize_payment",
    CommitHold: "commit_hold",
    CapturePayment: "capture_payment",
    VoidPayment: "void_payment",
    RefundPayment: "refund_payment",
    ReleaseHold: "release_hold",
}

UNASKED = {State.AUTHORIZING: {HoldExpired}}
"""What may be told beside the answer that is awaited."""

CAPTURES: set[type[Event]] = {PaymentCaptured, CaptureFailed}
VOIDS: set[type[Event]] = {PaymentVoided, VoidFailed}
REFUNDS: set[type[Event]] = {RefundSucceeded, RefundFailed}
RELEASE: set[type[Event]] = {HoldReleased}
COMMIT: set[type[Event]] = {HoldCommitted}
AUTHORIZATION: set[type[Event]] = {PaymentAuthorized, PaymentDeclined}

COMES_EARLY: dict[State, set[type[Event]]] = {
    State.HOLDING: AUTHORIZATION | COMMIT | CAPTURES | VOIDS | REFUNDS | RELEASE,
    State.AUTHORIZING: COMMIT | CAPTURES | VOIDS | REFUNDS | RELEASE,
    State.COMMITTING: CAPTURES | VOIDS | REFUNDS | RELEASE,
    State.CAPTURING: VOIDS | REFUNDS | RELEASE,
    State.COMPLETED: REFUNDS | RELEASE,
    State.CANCELLING_HOLD: RELEASE,
    State.CANCELLING_AUTHORIZATION: VOIDS | RELEASE,
    State.CANCELLING_COMMIT: VOIDS | RELEASE,
    State.CANCELLING_CAPTURE: VOIDS | REFUNDS | RELEASE,
    State.VOIDING: RELEASE,
    State.REFUNDING: RELEASE,
    State.RELEASING: set(),
    State.REJECTED: set(),
    State.CANCELLED: set(),
    State.NEEDS_ATTENTION: set(),
}


def test_every_state_can_be_reached() -> None:
    assert REACHABLE[START] | {START} == set(State)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_every_state_leads_to_an_end(state: State) -> None:
    assert REACHABLE[state] & FINAL


def test_nothing_but_a_cancellation_leads_on_from_an_end() -> None:
    assert {state: list(successors(state)) for state in FINAL if list(successors(state))} == {
        State.COMPLETED: [State.REFUNDING]
    }


def test_no_two_moves_are_for_the_same_event_at_the_same_state() -> None:
    assert Counter((move.when, move.at) for move in SAGA).most_common(1)[0][1] == 1


@pytest.mark.parametrize("state", State)
def test_there_is_a_reaction_to_everything_everywhere(state: State) -> None:
    reactions = {event: reaction(state, event) for event in CONSUMED}

    assert {event for event, made in reactions.items() if made == EARLY} == COMES_EARLY[state]
    for event, made in reactions.items():
        if isinstance(made, Move):
            assert (made.when, made.at) == (event, state)
        else:
            assert made in (EARLY, STALE)


def test_what_never_moves_anything_is_only_the_unknown() -> None:
    assert set(CONSUMED) - {move.when for move in SAGA} == {PaymentUnknown}
    assert {move.when for move in SAGA} <= set(CONSUMED)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_state_moves_by_exactly_the_answers_to_what_it_waits_for(state: State) -> None:
    emitted = load(ANSWERED_BY[WAITS_FOR[state]]).emits
    answers = {event for event in emitted if event.key_field == "order_id"} - {PaymentUnknown}

    assert {move.when for move in SAGA if move.at is state} == answers | UNASKED.get(state, set())


def test_only_states_under_way_wait_for_an_answer() -> None:
    assert set(WAITS_FOR) == set(UNDER_WAY)
    assert set(ASKED) == set(ANSWERED_BY)


def test_a_move_asks_for_what_its_state_waits_for() -> None:
    """But for the moves that wait on for what was asked before."""
    for move in SAGA:
        if move.to in WAITS_FOR and move.ask is not None:
            assert WAITS_FOR[move.to] is move.ask, move
        if move.ask is None:
            assert move.to is None or move.to in FINAL or WAITS_FOR[move.to] is WAITS_FOR[move.at], move


def test_all_that_is_said_is_declared() -> None:
    said = {move.say for move in SAGA if move.say} | {end(ending)[1] for ending in ("rejected", "cancelled")}
    assert said <= set(SAID)


def test_capture_is_the_pivot() -> None:
    """What was captured is never voided, and what was not is never refunded."""
    for move in SAGA:
        if move.when is PaymentCaptured:
            assert State.VOIDING not in REACHABLE[move.to or State.CANCELLED]
        if move.when is CaptureFailed:
            assert State.REFUNDING not in REACHABLE[move.to or State.CANCELLED]


def test_a_cancellation_takes_every_state_before_the_goods_are_paid_for_and_that_one_too() -> None:
    assert set(CANCEL) == {
        State.HOLDING,
        State.AUTHORIZING,
        State.COMMITTING,
        State.CAPTURING,
        State.COMPLETED,
    }
    for state, to in CANCEL.items():
        assert State.CANCELLED in REACHABLE[to]
        assert to is State.REFUNDING or WAITS_FOR[to] is WAITS_FOR[state], "the same answer is still awaited"


def test_every_end_without_a_sale_gives_the_stock_back_once_it_was_had() -> None:
    had = {move.to for move in SAGA if move.when is StockHeld}
    ways = [[state] for state in had if state]
    while ways:
        way = ways.pop()
        for following in successors(way[-1]):
            if following in (State.REJECTED, State.CANCELLED):
                assert State.RELEASING in way, way
            elif following not in way:
                ways.append([*way, following])


@pytest.mark.parametrize(
    ("state", "ending", "status"),
    [
        (State.HOLDING, None, "pending"),
        (State.AUTHORIZING, None, "pending"),
        (State.COMMITTING, None, "pending"),
        (State.CAPTURING, None, "confirmed"),
        (State.COMPLETED, None, "confirmed"),
        (State.REJECTED, "rejected", "rejected"),
        (State.CANCELLED, "cancelled", "cancelled"),
        (State.CANCELLING_HOLD, "cancelled", "cancelling"),
        (State.CANCELLING_AUTHORIZATION, "cancelled", "cancelling"),
        (State.CANCELLING_AUTHORIZATION, "rejected", "pending"),
        (State.VOIDING, "rejected", "pending"),
        (State.VOIDING, "cancelled", "cancelling"),
        (State.REFUNDING, "cancelled", "cancelling"),
        (State.RELEASING, "rejected", "pending"),
        (State.RELEASING, "cancelled", "cancelling"),
        (State.NEEDS_ATTENTION, "cancelled", "cancelling"),
    ],
)
def test_a_customer_is_told_what_concerns_a_customer(state: State, ending: Ending | None, status: str) -> None:
    assert status_of(state, ending) == status


def test_the_ends_say_how_it_ended() -> None:
    rejections = {(move.when, move.reason) for move in SAGA if move.ending == "rejected"}
    assert rejections == {
        (HoldRejected, "out_of_stock"),
        (HoldExpired, "hold_expired"),
        (PaymentDeclined, "payment_declined"),
    }
