"""An order's way to its end, as a table: when this happens, at that state, it moves there and asks for this.

Capture is the pivot: before it a failure is compensated, after it only refunded. `reaction` has an answer for every
(state, event): a move, or EARLY (the state it belongs to can still be reached), or STALE.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Literal, get_args

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
from shared.orders.events import (
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderConfirmed,
    OrderRejected,
    SagaStuck,
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


class State(StrEnum):
    HOLDING = auto()
    AUTHORIZING = auto()
    COMMITTING = auto()
    CAPTURING = auto()
    COMPLETED = auto()
    CANCELLING_HOLD = auto()
    CANCELLING_AUTHORIZATION = auto()
    CANCELLING_COMMIT = auto()
    CANCELLING_CAPTURE = auto()
    VOIDING = auto()
    REFUNDING = auto()
    RELEASING = auto()
    REJECTED = auto()
    CANCELLED = auto()
    NEEDS_ATTENTION = auto()


(
    HOLDING,
    AUTHORIZING,
    COMMITTING,
    CAPTURING,
    COMPLETED,
    CANCELLING_HOLD,
    CANCELLING_AUTHORIZATION,
    CANCELLING_COMMIT,
    CANCELLING_CAPTURE,
    VOIDING,
    REFUNDING,
    RELEASING,
    REJECTED,
    CANCELLED,
    NEEDS_ATTENTION,
) = State

START = HOLDING
FINAL = frozenset({COMPLETED, REJECTED, CANCELLED, NEEDS_ATTENTION})

Ending = Literal["rejected", "cancelled"]
Payment = Literal["none", "authorized", "captured", "declined", "voided", "refunded"]
Status = Literal["pending", "confirmed", "rejected", "cancelling", "cancelled"]


@dataclass(frozen=True, slots=True)
class Move:
    """`ending` (with its reason) is decided where a compensation begins; a move to ENDING goes to what was decided."""

    when: type[Event]
    at: State
    to: State | None
    ask: type[Event] | None = None
    say: type[Event] | None = None
    payment: Payment | None = None
    ending: Ending | None = None
    reason: str | None = None


ENDING = None

# fmt: off
SAGA = (
    #    when this happens   at                        moves to                  and asks for           says
    Move(StockHeld,          HOLDING,                  AUTHORIZING,              ask=AuthorizePayment),
    Move(HoldRejected,       HOLDING,                  REJECTED,                 say=OrderRejected, ending="rejected", reason="out_of_stock"),
    Move(HoldExpired,        HOLDING,                  REJECTED,                 say=OrderRejected, ending="rejected", reason="hold_expired"),
    Move(PaymentAuthorized,  AUTHORIZING,              COMMITTING,               ask=CommitHold, payment="authorized"),
    Move(PaymentDeclined,    AUTHORIZING,              RELEASING,                ask=ReleaseHold, payment="declined", ending="rejected", reason="payment_declined"),
    Move(HoldExpired,        AUTHORIZING,              CANCELLING_AUTHORIZATION, ending="rejected", reason="hold_expired"),
    Move(HoldCommitted,      COMMITTING,               CAPTURING,                ask=CapturePayment, say=OrderConfirmed),
    Move(HoldExpired,        COMMITTING,               VOIDING,                  ask=VoidPayment, ending="rejected", reason="hold_expired"),
    Move(PaymentCaptured,    CAPTURING,                COMPLETED,                say=OrderCompleted, payment="captured"),
    Move(CaptureFailed,      CAPTURING,                VOIDING,                  ask=VoidPayment, say=OrderCancelling, ending="cancelled", reason="capture_failed"),

    # cancelled while an answer was on its way: wait for it, then give back what it brought
    Move(StockHeld,          CANCELLING_HOLD,          RELEASING,                ask=ReleaseHold),
    Move(HoldRejected,       CANCELLING_HOLD,          CANCELLED,                say=OrderCancelled),
    Move(HoldExpired,        CANCELLING_HOLD,          CANCELLED,                say=OrderCancelled),
    Move(PaymentAuthorized,  CANCELLING_AUTHORIZATION, VOIDING,                  ask=VoidPayment, payment="authorized"),
    Move(PaymentDeclined,    CANCELLING_AUTHORIZATION, RELEASING,                ask=ReleaseHold, payment="declined"),
    Move(HoldCommitted,      CANCELLING_COMMIT,        VOIDING,                  ask=VoidPayment),
    Move(HoldExpired,        CANCELLING_COMMIT,        VOIDING,                  ask=VoidPayment),
    Move(PaymentCaptured,    CANCELLING_CAPTURE,       REFUNDING,                ask=RefundPayment, payment="captured"),
    Move(CaptureFailed,      CANCELLING_CAPTURE,       VOIDING,                  ask=VoidPayment),

    # the compensations
    Move(PaymentVoided,      VOIDING,                  RELEASING,                ask=ReleaseHold, payment="voided"),
    Move(VoidFailed,         VOIDING,                  NEEDS_ATTENTION,          say=SagaStuck, reason="void_failed"),
    Move(RefundSucceeded,    REFUNDING,                RELEASING,                ask=ReleaseHold, payment="refunded"),
    Move(RefundFailed,       REFUNDING,                NEEDS_ATTENTION,          say=SagaStuck, reason="refund_failed"),
    Move(HoldReleased,       RELEASING,                ENDING),
)

CANCEL = {  # cancelled at: moves to
    HOLDING:     CANCELLING_HOLD,
    AUTHORIZING: CANCELLING_AUTHORIZATION,
    COMMITTING:  CANCELLING_COMMIT,
    CAPTURING:   CANCELLING_CAPTURE,
    COMPLETED:   REFUNDING,
}

WAITS_FOR: dict[State, type[Event]] = {  # at: the command whose answer is awaited; asked again, under the same key, when it is overdue
    HOLDING:                  HoldStock,
    AUTHORIZING:              AuthorizePayment,
    COMMITTING:               CommitHold,
    CAPTURING:                CapturePayment,
    CANCELLING_HOLD:          HoldStock,
    CANCELLING_AUTHORIZATION: AuthorizePayment,
    CANCELLING_COMMIT:        CommitHold,
    CANCELLING_CAPTURE:       CapturePayment,
    VOIDING:                  VoidPayment,
    REFUNDING:                RefundPayment,
    RELEASING:                ReleaseHold,
}
# fmt: on

Answered = (
    StockHeld
    | HoldRejected
    | HoldCommitted
    | HoldExpired
    | HoldReleased
    | PaymentAuthorized
    | PaymentDeclined
    | PaymentCaptured
    | CaptureFailed
    | PaymentVoided
    | VoidFailed
    | PaymentUnknown
    | RefundSucceeded
    | RefundFailed
)
"""What a saga is told by inventory and payments. PaymentUnknown moves nothing: the true answer follows."""

CONSUMED: tuple[type[Event], ...] = get_args(Answered)
ASKED = tuple(dict.fromkeys(WAITS_FOR.values()))
SAID = (OrderConfirmed, OrderCompleted, OrderRejected, OrderCancelling, OrderCancelled, SagaStuck)

STALE: Literal["stale"] = "stale"
EARLY: Literal["early"] = "early"

_moves = {(move.when, move.at): move for move in SAGA}
_ends: dict[Ending, tuple[State, type[Event]]] = {
    "rejected": (REJECTED, OrderRejected),
    "cancelled": (CANCELLED, OrderCancelled),
}


def end(ending: Ending) -> tuple[State, type[Event]]:
    """The final state of a compensation, and what is said then."""
    return _ends[ending]


def successors(state: State) -> Iterator[State]:
    """Where one move or a cancellation leads from `state`."""
    for move in SAGA:
        if move.at is state:
            yield from (REJECTED, CANCELLED) if move.to is ENDING else (move.to,)
    if state in CANCEL:
        yield CANCEL[state]


def _reachable(state: State) -> frozenset[State]:
    seen: set[State] = set()
    waiting = [state]
    while waiting:
        for following in successors(waiting.pop()):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return frozenset(seen)


REACHABLE = {state: _reachable(state) for state in State}


def reaction(state: State, event: type[Event]) -> Move | Literal["stale", "early"]:
    if move := _moves.get((event, state)):
        return move
    belongs_to = {at for when, at in _moves if when is event}
    return STALE if belongs_to.isdisjoint(REACHABLE[state]) else EARLY


def status_of(state: State, ending: Ending | None) -> Status:
    """What a customer is told. A compensation that leads to a rejection is still `pending` until it is done."""
    match state:
        case State.HOLDING | State.AUTHORIZING | State.COMMITTING:
            return "pending"
        case State.CAPTURING | State.COMPLETED:
            return "confirmed"
        case State.REJECTED:
            return "rejected"
        case State.CANCELLED:
            return "cancelled"
        case _:
            return "pending" if ending == "rejected" else "cancelling"
