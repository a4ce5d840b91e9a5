"""The test cards: what each payment token makes the provider do, and how sequences of them are spelt."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be asked of the provider."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Tell(StrEnum):
    """When the merchant is told by webhook of an operation that it asked for itself."""

    NO = "no"
    EARLY = "early"
    TWICE = "twice"
    LATE = "late"


class Answer(StrEnum):
    """How the caller gets to know, once the books are written."""

    NOW = "now"
    LATE = "late"
    NEVER = "never"
    ERROR = "error"


ALL = frozenset(Kind)
CHARGES = frozenset({Kind.AUTHORIZE, Kind.CAPTURE})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to treat one operation: `code` refuses it; without `booked` it is lost before it reached the books.

    With `action` the customer has to confirm it first.
    """

    code: str | None = None
    booked: bool = True
    answer: Answer = Answer.NOW
    action: bool = False
    tell: Tell = Tell.NO


APPROVE = Behaviour()

BEHAVIOURS = {
    "approve": APPROVE,
    "decline": Behaviour(code="card_declined"),
    "insufficient_funds": Behaviour(code="insufficient_funds"),
    "capture_fails": Behaviour(code="capture_failed"),
    "slow": Behaviour(answer=Answer.LATE),
    "timeout": Behaviour(booked=False, answer=Answer.NEVER),
    "timeout_after_charge": Behaviour(answer=Answer.NEVER),
    "error": Behaviour(booked=False, answer=Answer.ERROR),
    "error_after_charge": Behaviour(answer=Answer.ERROR),
    "action": Behaviour(action=True),
    "webhook_early": Behaviour(answer=Answer.LATE, tell=Tell.EARLY),
    "webhook_twice": Behaviour(tell=Tell.TWICE),
    "webhook_late": Behaviour(answer=Answer.NEVER, tell=Tell.LATE),
    "dispute": APPROVE,
}

# Which operations a card plays its behaviour on; on the others it approves.
CARDS: dict[str, tuple[str, frozenset[Kind]]] = {
    "tok_approve": ("approve", ALL),
    "tok_decline": ("decline", frozenset({Kind.AUTHORIZE})),
    "tok_insufficient_funds": ("insufficient_funds", frozenset({Kind.AUTHORIZE})),
    "tok_timeout_after_charge": ("timeout_after_charge", CHARGES),
    "tok_error_after_charge": ("error_after_charge", CHARGES),
    "tok_capture_fails": ("capture_fails", frozenset({Kind.CAPTURE})),
    "tok_slow": ("slow", ALL),
    "tok_3ds": ("action", frozenset({Kind.AUTHORIZE})),
    "tok_webhook_early": ("webhook_early", CHARGES),
    "tok_webhook_twice": ("webhook_twice", CHARGES),
    "tok_webhook_late": ("webhook_late", CHARGES),
    "tok_dispute": ("dispute", frozenset({Kind.CAPTURE})),
}
SEQUENCE = "tok_seq:"
ONLY_ON = {"capture_fails": Kind.CAPTURE, "dispute": Kind.CAPTURE, "action": Kind.AUTHORIZE}


def is_sequence(token: str) -> bool:
    """Whether successive operations under this token play successive behaviours."""
    return token.startswith(SEQUENCE)


def is_known(token: str) -> bool:
    """Whether the token is a test card, or a sequence of behaviours that all exist."""
    if is_sequence(token):
        return all(name in BEHAVIOURS for name in token.removeprefix(SEQUENCE).split(","))
    return token in CARDS


def behaviour(token: str, kind: Kind, step: int) -> Behaviour:
    """What a known token plays on its operation number `step` (from 0); a sequence that is used up approves."""
    if not is_sequence(token):
        name, kinds = CARDS[token]
        return BEHAVIOURS[name] if kind in kinds else APPROVE
    names = token.removeprefix(SEQUENCE).split(",")
    name = names[step] if step < len(names) else "approve"
    return APPROVE if ONLY_ON.get(name, kind) is not kind else BEHAVIOURS[name]


def disputes(token: str, kind: Kind, step: int) -> bool:
    """Whether the customer will dispute what this operation has taken."""
    names = token.removeprefix(SEQUENCE).split(",") if is_sequence(token) else [CARDS[token][0]]
    return kind is Kind.CAPTURE and step < len(names) and names[step] == "dispute"
