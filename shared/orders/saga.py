"""An order's saga: what happens when, as tables that read from top to bottom.

Every state that is not final waits for an answer of inventory or payments, or for the customer. An answer that its
state does not know is either early, and kept until its state is there, or stale, and changes nothing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Literal, get_args

from shared.inventory.events import (
    CommitHold,
    ExtendHold,
    HoldCommitted,
    HoldExpired,
    HoldRejected,
    HoldReleased,
    HoldStock,
    ReleaseHold,
    StockHeld,
)
from shared.orders.events import (
    OrderAwaitingCustomer,
    OrderCancelled,
    OrderCancelling,
    OrderCardChanged,
    OrderConfirmed,
    OrderExpired,
    OrderRejected,
    SagaRetried,
    SagaSkipped,
    SagaStuck,
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


class State(StrEnum):
    HOLDING = auto()
    AUTHORIZING = auto()
    AWAITING_CUSTOMER = auto()
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
    EXPIRED = auto()
    CANCELLED = auto()
    NEEDS_ATTENTION = auto()


(
    HOLDING,
    AUTHORIZING,
    AWAITING_CUSTOMER,
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
    EXPIRED,
    CANCELLED,
    NEEDS_ATTENTION,
) = State

START = HOLDING
FINAL = frozenset({COMPLETED, REJECTED, EXPIRED, CANCELLED, NEEDS_ATTENTION})
GIVEN_UP = frozenset({VOIDING, RELEASING, REJECTED, EXPIRED, CANCELLED})
"""Where no money of the order is wanted any more."""

Ending = Literal["rejected", "expired", "cancelled"]
Payment = Literal["none", "action_required", "authorized", "captured", "declined", "voided", "refunded"]
Status = Literal[
    "pending", "awaiting_customer", "confirmed", "completed", "rejected", "expired", "cancelling", "cancelled"
]
Trait = Literal["waits", "at_shipment", "costs_nothing", "void_failed", "refund_failed"]
"""What an order can be, where that makes a difference: it waits for another card after a decline, is paid at shipment,
has nothing (left) to pay back, or got stuck where a void or a refund was refused."""


@dataclass(frozen=True, slots=True)
class Move:
    """`ending` (with its reason) is decided where a compensation begins; a move to ENDING goes to what was decided.

    Of several moves for the same event at the same state the first is made whose trait the order has, or that needs
    none.
    """

    when: type[Event]
    at: State
    to: State | None
    ask: type[Event] | None = None
    say: type[Event] | None = None
    payment: Payment | None = None
    ending: Ending | None = None
    reason: str | None = None
    only: Trait | None = None


ENDING = None

# fmt: off
SAGA = (
    #    when this happens     at                        moves to                  and asks for           says
    Move(StockHeld,            HOLDING,                  AUTHORIZING,              ask=AuthorizePayment),
    Move(HoldRejected,         HOLDING,                  REJECTED,                 say=OrderRejected, ending="rejected", reason="out_of_stock"),
    Move(HoldExpired,          HOLDING,                  EXPIRED,                  say=OrderExpired, ending="expired", reason="hold_expired"),
    Move(PaymentAuthorized,    AUTHORIZING,              COMMITTING,               ask=CommitHold, payment="authorized"),
    Move(PaymentActionRequired, AUTHORIZING,             AWAITING_CUSTOMER,        say=OrderAwaitingCustomer, payment="action_required"),
    Move(PaymentDeclined,      AUTHORIZING,              AWAITING_CUSTOMER,        say=OrderAwaitingCustomer, payment="declined", only="waits"),
    Move(PaymentDeclined,      AUTHORIZING,              RELEASING,                ask=ReleaseHold, payment="declined", ending="rejected", reason="payment_declined"),
    Move(HoldExpired,          AUTHORIZING,              CANCELLING_AUTHORIZATION, ending="expired", reason="hold_expired"),
    Move(PaymentAuthorized,    AWAITING_CUSTOMER,        COMMITTING,               ask=CommitHold, payment="authorized"),
    Move(PaymentDeclined,      AWAITING_CUSTOMER,        AWAITING_CUSTOMER,        say=OrderAwaitingCustomer, payment="declined", only="waits"),
    Move(PaymentDeclined,      AWAITING_CUSTOMER,        RELEASING,                ask=ReleaseHold, payment="declined", ending="rejected", reason="payment_declined"),
    Move(HoldExpired,          AWAITING_CUSTOMER,        VOIDING,                  ask=VoidPayment, ending="expired", reason="unpaid"),
    Move(HoldCommitted,        COMMITTING,               COMPLETED,                say=OrderConfirmed, only="at_shipment"),
    Move(HoldCommitted,        COMMITTING,               CAPTURING,                ask=CapturePayment, say=OrderConfirmed),
    Move(HoldExpired,          COMMITTING,               VOIDING,                  ask=VoidPayment, ending="expired", reason="hold_expired"),
    Move(PaymentCaptured,      CAPTURING,                COMPLETED,                payment="captured"),
    Move(CaptureFailed,        CAPTURING,                VOIDING,                  ask=VoidPayment, say=OrderCancelling, ending="cancelled", reason="capture_failed"),

    # cancelled while an answer was on its way: wait for it, then give back what it brought
    Move(StockHeld,            CANCELLING_HOLD,          RELEASING,                ask=ReleaseHold),
    Move(HoldRejected,         CANCELLING_HOLD,          CANCELLED,                say=OrderCancelled),
    Move(HoldExpired,          CANCELLING_HOLD,          CANCELLED,                say=OrderCancelled),
    Move(PaymentAuthorized,    CANCELLING_AUTHORIZATION, VOIDING,                  ask=VoidPayment, payment="authorized"),
    Move(PaymentActionRequired, CANCELLING_AUTHORIZATION, VOIDING,                 ask=VoidPayment, payment="action_required"),
    Move(PaymentDeclined,      CANCELLING_AUTHORIZATION, RELEASING,                ask=ReleaseHold, payment="declined"),
    Move(HoldCommitted,        CANCELLING_COMMIT,        VOIDING,                  ask=VoidPayment),
    Move(HoldExpired,          CANCELLING_COMMIT,        VOIDING,                  ask=VoidPayment),
    Move(PaymentCaptured,      CANCELLING_CAPTURE,       RELEASING,                ask=ReleaseHold, payment="captured", only="costs_nothing"),
    Move(PaymentCaptured,      CANCELLING_CAPTURE,       REFUNDING,                ask=RefundPayment, payment="captured"),
    Move(CaptureFailed,        CANCELLING_CAPTURE,       VOIDING,                  ask=VoidPayment),

    # the compensations
    Move(PaymentVoided,        VOIDING,                  RELEASING,                ask=ReleaseHold, payment="voided"),
    Move(VoidFailed,           VOIDING,                  NEEDS_ATTENTION,          say=SagaStuck, reason="void_failed"),
    Move(RefundSucceeded,      REFUNDING,                RELEASING,                ask=ReleaseHold, payment="refunded"),
    Move(RefundFailed,         REFUNDING,                NEEDS_ATTENTION,          say=SagaStuck, reason="refund_failed"),
    Move(HoldReleased,         RELEASING,                ENDING),
)

STEERED = (
    #    when a person does     at                        moves to                  and asks for           says
    Move(OrderCardChanged,     AWAITING_CUSTOMER,        AUTHORIZING,              ask=AuthorizePayment, say=OrderCardChanged),

    Move(OrderCancelling,      HOLDING,                  CANCELLING_HOLD,          say=OrderCancelling, ending="cancelled"),
    Move(OrderCancelling,      AUTHORIZING,              CANCELLING_AUTHORIZATION, say=OrderCancelling, ending="cancelled"),
    Move(OrderCancelling,      AWAITING_CUSTOMER,        VOIDING,                  ask=VoidPayment, say=OrderCancelling, ending="cancelled"),
    Move(OrderCancelling,      COMMITTING,               CANCELLING_COMMIT,        say=OrderCancelling, ending="cancelled"),
    Move(OrderCancelling,      CAPTURING,                CANCELLING_CAPTURE,       say=OrderCancelling, ending="cancelled"),
    Move(OrderCancelling,      COMPLETED,                VOIDING,                  ask=VoidPayment, say=OrderCancelling, ending="cancelled", only="at_shipment"),
    Move(OrderCancelling,      COMPLETED,                RELEASING,                ask=ReleaseHold, say=OrderCancelling, ending="cancelled", only="costs_nothing"),
    Move(OrderCancelling,      COMPLETED,                REFUNDING,                ask=RefundPayment, say=OrderCancelling, ending="cancelled"),

    Move(SagaRetried,          NEEDS_ATTENTION,          VOIDING,                  ask=VoidPayment, say=SagaRetried, only="void_failed"),
    Move(SagaRetried,          NEEDS_ATTENTION,          REFUNDING,                ask=RefundPayment, say=SagaRetried, only="refund_failed"),
    Move(SagaSkipped,          NEEDS_ATTENTION,          RELEASING,                ask=ReleaseHold, say=SagaSkipped, payment="voided", only="void_failed"),
    Move(SagaSkipped,          NEEDS_ATTENTION,          RELEASING,                ask=ReleaseHold, say=SagaSkipped, payment="refunded", only="refund_failed"),
    Move(SagaSkipped,          VOIDING,                  RELEASING,                ask=ReleaseHold, say=SagaSkipped, payment="voided"),
    Move(SagaSkipped,          REFUNDING,                RELEASING,                ask=ReleaseHold, say=SagaSkipped, payment="refunded"),
)

WAITS_FOR: dict[State, type[Event]] = {  # at: the command whose answer is awaited; asked again, under the same key, when it is overdue
    HOLDING:                  HoldStock,
    AUTHORIZING:              AuthorizePayment,
    AWAITING_CUSTOMER:        ExtendHold,
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
    | PaymentActionRequired
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
SAID = (
    OrderAwaitingCustomer,
    OrderConfirmed,
    OrderRejected,
    OrderExpired,
    OrderCancelling,
    OrderCancelled,
    SagaStuck,
)

ANSWERS: dict[type[Event], type[Event]] = {  # what answers a command that has a key: the command
    PaymentAuthorized: AuthorizePayment,
    PaymentActionRequired: AuthorizePayment,
    PaymentDeclined: AuthorizePayment,
    PaymentCaptured: CapturePayment,
    CaptureFailed: CapturePayment,
    PaymentVoided: VoidPayment,
    VoidFailed: VoidPayment,
    RefundSucceeded: RefundPayment,
    RefundFailed: RefundPayment,
}

STALE: Literal["stale"] = "stale"
EARLY: Literal["early"] = "early"

CANCELLABLE = frozenset(move.at for move in STEERED if move.when is OrderCancelling)

_moves: dict[tuple[type[Event], State], list[Move]] = {}
for _move in (*SAGA, *STEERED):
    _moves.setdefault((_move.when, _move.at), []).append(_move)

_ends: dict[Ending, tuple[State, type[Event]]] = {
    "rejected": (REJECTED, OrderRejected),
    "expired": (EXPIRED, OrderExpired),
    "cancelled": (CANCELLED, OrderCancelled),
}


def end(ending: Ending) -> tuple[State, type[Event]]:
    """The final state of a compensation, and what is said then."""
    return _ends[ending]


def successors(state: State) -> Iterator[State]:
    """Where one move leads from `state`, but for those by which an operator leads on from an end."""
    for move in (*SAGA, *STEERED):
        if move.at is state and state is not NEEDS_ATTENTION:
            yield from [to for to, _ in _ends.values()] if move.to is ENDING else [move.to]


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


def reaction(state: State, event: type[Event], traits: Collection[Trait] = ()) -> Move | Literal["stale", "early"]:
    """What `event` does at `state` to an order that has these traits."""
    for move in _moves.get((event, state), ()):
        if move.only is None or move.only in traits:
            return move
    belongs_to = {at for when, at in _moves if when is event}
    return STALE if belongs_to.isdisjoint(REACHABLE[state]) else EARLY


def status_of(state: State, ending: Ending | None) -> Status:
    """What a customer is told. A compensation that leads to a rejection is still `pending` until it is done.

    A confirmed order becomes `completed` by its fulfilment, which the saga has no part in.
    """
    match state:
        case State.HOLDING | State.AUTHORIZING | State.COMMITTING:
            return "pending"
        case State.AWAITING_CUSTOMER:
            return "awaiting_customer"
        case State.CAPTURING | State.COMPLETED:
            return "confirmed"
        case State.REJECTED:
            return "rejected"
        case State.EXPIRED:
            return "expired"
        case State.CANCELLED:
            return "cancelled"
        case _:
            return "cancelling" if ending == "cancelled" else "pending"
