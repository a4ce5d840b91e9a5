"""The saga's table, held to what must be true of any such table."""

import pytest

from functions import load
from shared.inventory.events import (
    CommitHold,
    ExtendHold,
    HoldCommitted,
    HoldExpired,
    HoldExtended,
    HoldRejected,
    HoldReleased,
    HoldStock,
    ReleaseHold,
    StockHeld,
)
from shared.orders.events import OrderCancelling
from shared.orders.saga import (
    ANSWERS,
    ASKED,
    CANCELLABLE,
    CONSUMED,
    EARLY,
    FINAL,
    REACHABLE,
    SAGA,
    SAID,
    STALE,
    START,
    STEERED,
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
    PaymentActionRequired,
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
    ExtendHold: "extend_hold",
    CommitHold: "commit_hold",
    CapturePayment: "capture_payment",
    VoidPayment: "void_payment",
    RefundPayment: "refund_payment",
    ReleaseHold: "release_hold",
}

TOLD_UNASKED = {State.AUTHORIZING: {HoldExpired}}
"""What may be told beside the answer that is awaited."""

CAPTURES: set[type[Event]] = {PaymentCaptured, CaptureFailed}
VOIDS: set[type[Event]] = {PaymentVoided, VoidFailed}
REFUNDS: set[type[Event]] = {RefundSucceeded, RefundFailed}
RELEASE: set[type[Event]] = {HoldReleased}
COMMIT: set[type[Event]] = {HoldCommitted}
AUTHORIZATION: set[type[Event]] = {PaymentAuthorized, PaymentDeclined, PaymentActionRequired}

COMES_EARLY: dict[State, set[type[Event]]] = {
    State.HOLDING: AUTHORIZATION | COMMIT | CAPTURES | VOIDS | REFUNDS | RELEASE,
    State.AUTHORIZING: COMMIT | CAPTURES | VOIDS | REFUNDS | RELEASE,
    State.AWAITING_CUSTOMER: {PaymentActionRequired} | COMMIT | CAPTURES | VOIDS | REFUNDS | RELEASE,
    State.COMMITTING: CAPTURES | VOIDS | REFUNDS | RELEASE,
    State.CAPTURING: VOIDS | REFUNDS | RELEASE,
    State.COMPLETED: VOIDS | REFUNDS | RELEASE,
    State.CANCELLING_HOLD: RELEASE,
    State.CANCELLING_AUTHORIZATION: VOIDS | RELEASE,
    State.CANCELLING_COMMIT: VOIDS | RELEASE,
    State.CANCELLING_CAPTURE: VOIDS | REFUNDS | RELEASE,
    State.VOIDING: RELEASE,
    State.REFUNDING: RELEASE,
    State.RELEASING: set(),
    State.REJECTED: set(),
    State.EXPIRED: set(),
    State.CANCELLED: set(),
    State.NEEDS_ATTENTION: set(),
}


def test_every_state_can_be_reached() -> None:
    assert REACHABLE[START] | {START} == set(State)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_every_state_leads_to_an_end(state: State) -> None:
    assert REACHABLE[state] & FINAL


def test_nothing_but_a_cancellation_leads_on_from_an_end() -> None:
    assert {state: set(successors(state)) for state in FINAL if list(successors(state))} == {
        State.COMPLETED: {State.VOIDING, State.REFUNDING, State.RELEASING}
    }


def test_of_several_moves_for_one_event_at_one_state_each_is_made_by_some_order() -> None:
    by_place: dict[tuple[type[Event], State], list[Move]] = {}
    for move in (*SAGA, *STEERED):
        by_place.setdefault((move.when, move.at), []).append(move)
    for (when, at), moves in by_place.items():
        assert len({move.only for move in moves}) == len(moves), moves
        if at is not State.NEEDS_ATTENTION:
            assert moves[-1].only is None, "there is a move for any order"
        for move in moves:
            assert reaction(at, when, {move.only} if move.only else set()) is move


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
    command = WAITS_FOR[state]
    emitted = {event for event in load(ANSWERED_BY[command]).emits if event.key_field == "order_id"}
    answers = {event for event in emitted - {PaymentUnknown} if ANSWERS.get(event, command) is command}

    if state is State.AWAITING_CUSTOMER:
        assert {move.when for move in SAGA if move.at is state} == {PaymentAuthorized, PaymentDeclined, HoldExpired}
        assert answers == {HoldExpired, HoldExtended, HoldCommitted}, "the last two say that the hold lives on"
    else:
        assert {move.when for move in SAGA if move.at is state} == answers | TOLD_UNASKED.get(state, set())


def test_only_states_under_way_wait_for_an_answer() -> None:
    assert set(WAITS_FOR) == set(UNDER_WAY)
    assert set(ASKED) == set(ANSWERED_BY)


def test_a_move_asks_for_what_its_state_waits_for() -> None:
    """But for the moves that wait on for what was asked before."""
    for move in SAGA:
        if move.to in WAITS_FOR and move.ask is not None:
            assert WAITS_FOR[move.to] is move.ask, move
        if move.ask is None:
            waits_on = move.to is None or move.to in FINAL or WAITS_FOR[move.to] is WAITS_FOR[move.at]
            assert waits_on or move.to is State.AWAITING_CUSTOMER, move


def test_all_that_is_said_is_declared() -> None:
    said = {move.say for move in SAGA if move.say} | {end(ending)[1] for ending in ("rejected", "expired", "cancelled")}
    assert said <= set(SAID)


def test_capture_is_the_pivot() -> None:
    """What was captured is never voided, and what was not is never refunded."""
    for move in SAGA:
        if move.when is PaymentCaptured and move.to is not State.COMPLETED:
            assert State.VOIDING not in REACHABLE[move.to or State.CANCELLED]
        if move.when is CaptureFailed:
            assert State.REFUNDING not in REACHABLE[move.to or State.CANCELLED]


def test_a_cancellation_takes_every_state_before_the_goods_are_paid_for_and_that_one_too() -> None:
    assert {
        State.HOLDING,
        State.AUTHORIZING,
        State.AWAITING_CUSTOMER,
        State.COMMITTING,
        State.CAPTURING,
        State.COMPLETED,
    } == CANCELLABLE
    for move in STEERED:
        if move.when is OrderCancelling and move.to is not None:
            assert State.CANCELLED in REACHABLE[move.to]
            if move.ask is None:
                assert WAITS_FOR[move.to] is WAITS_FOR[move.at], "the same answer is still awaited"
            else:
                assert WAITS_FOR[move.to] is move.ask


def test_every_end_without_a_sale_gives_the_stock_back_once_it_was_had() -> None:
    had = {move.to for move in SAGA if move.when is StockHeld}
    ways = [[state] for state in had if state]
    while ways:
        way = ways.pop()
        for following in successors(way[-1]):
            if following in (State.REJECTED, State.EXPIRED, State.CANCELLED):
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
        (State.AWAITING_CUSTOMER, None, "awaiting_customer"),
        (State.REJECTED, "rejected", "rejected"),
        (State.EXPIRED, "expired", "expired"),
        (State.VOIDING, "expired", "pending"),
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
    endings = {(move.when, move.ending, move.reason) for move in SAGA if move.ending in ("rejected", "expired")}
    assert endings == {
        (HoldRejected, "rejected", "out_of_stock"),
        (HoldExpired, "expired", "hold_expired"),
        (HoldExpired, "expired", "unpaid"),
        (PaymentDeclined, "rejected", "payment_declined"),
    }
