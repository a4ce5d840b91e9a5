"""Steps: what is asked of inventory and payments beyond the checkout, each settled by one answer.

A step is a row with its command's key; its command is made of the row, so that it is the same whenever it is sent. What
an answer does to it is a table. An answer that its step does not wait for changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any
from uuid import UUID

from shared.inventory.events import (
    GoodsRestocked,
    HoldLine,
    HoldPartReleased,
    HoldShipped,
    PartLine,
    ReleasePart,
    RestockGoods,
    RestockRefused,
    ShipHold,
    ShipmentRefused,
)
from shared.payments.events import (
    CaptureFailed,
    CapturePayment,
    PaymentCaptured,
    PaymentVoided,
    RefundFailed,
    RefundPayment,
    RefundSucceeded,
    VoidFailed,
    VoidPayment,
)
from shared.runtime import Event


class Kind(StrEnum):
    SHIP = auto()
    RELEASE = auto()
    CAPTURE = auto()
    VOID = auto()
    REFUND = auto()
    RESTOCK = auto()


class State(StrEnum):
    ASKED = auto()
    DONE = auto()
    FAILED = auto()
    NEEDS_ATTENTION = auto()
    GIVEN_UP = auto()


SHIP, RELEASE, CAPTURE, VOID, REFUND, RESTOCK = Kind
ASKED, DONE, FAILED, NEEDS_ATTENTION, GIVEN_UP = State

OPEN = frozenset({ASKED, NEEDS_ATTENTION})
BINDING = frozenset({SHIP, RELEASE, CAPTURE, VOID})
"""While one of these is open, its order is not complete. Money that is paid back, and goods that come back, are beside
that."""

ANSWER_WITHIN = timedelta(seconds=30)
PAUSE = timedelta(seconds=60)
"""Before a capture that was refused is tried again under a new key."""

CAPTURES = 3
"""How often that is done before a person is called."""


@dataclass(frozen=True, slots=True)
class Settles:
    when: type[Event]
    of: Kind
    to: State


# fmt: off
STEPS = (
    #       when this is answered  a step        is
    Settles(HoldShipped,           SHIP,         DONE),
    Settles(ShipmentRefused,       SHIP,         FAILED),           # its fulfilment is open again, and says why
    Settles(HoldPartReleased,      RELEASE,      DONE),             # as much as was given back is voided or refunded
    Settles(PaymentCaptured,       CAPTURE,      DONE),
    Settles(CaptureFailed,         CAPTURE,      NEEDS_ATTENTION),  # after some tries
    Settles(PaymentVoided,         VOID,         DONE),
    Settles(VoidFailed,            VOID,         NEEDS_ATTENTION),
    Settles(RefundSucceeded,       REFUND,       DONE),
    Settles(RefundFailed,          REFUND,       FAILED),           # and may be tried again by a person
    Settles(GoodsRestocked,        RESTOCK,      DONE),
    Settles(RestockRefused,        RESTOCK,      NEEDS_ATTENTION),
)
# fmt: on

SETTLES = {row.when: row for row in STEPS}
COMMANDS = (ShipHold, ReleasePart, CapturePayment, VoidPayment, RefundPayment, RestockGoods)

Answered = (
    HoldShipped
    | ShipmentRefused
    | HoldPartReleased
    | GoodsRestocked
    | RestockRefused
    | PaymentCaptured
    | CaptureFailed
    | PaymentVoided
    | VoidFailed
    | RefundSucceeded
    | RefundFailed
)


@dataclass(frozen=True, slots=True)
class StepLine:
    """Units of an order's line, in a fulfilment where there is one."""

    line_no: int
    sku: str
    quantity: int
    location: str | None = None
    fulfilment_id: str | None = None


@dataclass(slots=True)
class Step:
    id: UUID
    order_id: UUID
    kind: Kind
    state: State
    source: str
    reason: str
    created_at: datetime
    deadline: datetime | None
    lines: list[StepLine] = field(default_factory=list)
    amount_minor: int | None = None
    location: str | None = None
    answer: str | None = None
    tries: int = 1
    asked: int = 1

    @property
    def key(self) -> str:
        """The command's key at payments: another one when it is begun anew."""
        base = f"refund/{self.id}" if self.kind is REFUND else f"{self.order_id}/{self.kind}/{self.id}"
        return base if self.tries == 1 else f"{base}/{self.tries}"

    @property
    def command(self) -> Event:
        return _COMMANDS[self.kind](self)

    def settle(self, state: State, answer: str | None = None) -> None:
        self.state, self.answer, self.deadline = state, answer, None

    def ask_anew(self, deadline: datetime) -> None:
        """Under a new key: the one before was answered for good."""
        self.state, self.deadline, self.tries, self.asked = ASKED, deadline, self.tries + 1, 1


def part_lines(lines: list[StepLine]) -> list[PartLine]:
    """Summed: two lines of an order may be of one SKU."""
    units: dict[tuple[str, str | None], int] = {}
    for line in lines:
        key = (line.sku, line.location)
        units[key] = units.get(key, 0) + line.quantity
    return [PartLine(sku=sku, location=location, quantity=n) for (sku, location), n in sorted(units.items())]


_COMMANDS: dict[Kind, Callable[[Step], Event]] = {
    SHIP: lambda it: ShipHold(order_id=it.order_id, part_id=it.id, lines=part_lines(it.lines)),
    RELEASE: lambda it: ReleasePart(order_id=it.order_id, part_id=it.id, lines=part_lines(it.lines)),
    CAPTURE: lambda it: CapturePayment(order_id=it.order_id, amount_minor=it.amount_minor, command_key=it.key),
    VOID: lambda it: VoidPayment(order_id=it.order_id, amount_minor=it.amount_minor, command_key=it.key),
    REFUND: lambda it: RefundPayment(
        order_id=it.order_id,
        refund_id=it.id,
        amount_minor=it.amount_minor or 0,
        reason=it.reason,
        command_key=it.key,
    ),
    RESTOCK: lambda it: RestockGoods(
        order_id=it.order_id,
        part_id=it.id,
        location=it.location or "",
        lines=[HoldLine(sku=line.sku, quantity=line.quantity) for line in it.lines],
        reason=it.reason,
    ),
}


def step_of(event: Answered) -> UUID | None:
    """The step that `event` answers; None if it answers the order's saga."""
    match event:
        case HoldShipped() | ShipmentRefused() | HoldPartReleased() | GoodsRestocked() | RestockRefused():
            return event.part_id
        case RefundSucceeded() | RefundFailed():
            return None if event.refund_id == event.order_id else event.refund_id
        case _:
            parts = event.command_key.split("/")
            try:
                return UUID(parts[2]) if len(parts) > 2 else None
            except ValueError:
                return None


def is_of_a_step(event: Answered) -> bool:
    return step_of(event) is not None


def overdue(asked: int) -> timedelta:
    """How long to wait for an answer after a command was sent `asked` times: doubled each time, ten minutes at most."""
    return min(ANSWER_WITHIN * (1 << min(asked, 10)), timedelta(minutes=10))


def is_awaited(step: Step, event: Answered) -> bool:
    """Whether it answers the command as it was asked last.

    Goods that have left have left: that is heard also of a step which was refused before, when its command was sent
    again.
    """
    if SETTLES[type(event)].of is not step.kind or step.order_id != event.order_id:
        return False
    if isinstance(event, HoldShipped):
        return step.state in (ASKED, FAILED)
    key: Any = getattr(event, "command_key", None)
    return step.state is ASKED and key in (None, step.key)
