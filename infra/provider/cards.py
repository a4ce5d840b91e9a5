"""The test cards: what each payment token makes the provider do, and how sequences of them are spelt."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be asked of the provider."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


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
    """One way to treat one operation: `code` refuses it; without `booked` it is lost before it reached the books."""

    code: str | None = None
    booked: bool = True
    answer: Answer = Answer.NOW


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
}
SEQUENCE = "tok_seq:"


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
    if name == "capture_fails" and kind is not Kind.CAPTURE:
        return APPROVE
    return BEHAVIOURS[name]
