"""A fulfilment: goods of one order at one location, from the picking list to the customer's door.

Its life is a table that reads from top to bottom. What the table does not have, cannot be.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Literal
from uuid import UUID

from shared.orders.fulfilment_events import (
    FulfilledLine,
    FulfilmentCancelled,
    FulfilmentDelivered,
    FulfilmentReturned,
    FulfilmentShipped,
)
from shared.runtime import Event


class Status(StrEnum):
    PENDING = auto()
    SHIPPING = auto()
    SHIPPED = auto()
    DELIVERED = auto()
    CANCELLED = auto()
    RETURNED = auto()


PENDING, SHIPPING, SHIPPED, DELIVERED, CANCELLED, RETURNED = Status

OPEN = frozenset({PENDING, SHIPPING})
GONE = frozenset({SHIPPED, DELIVERED, RETURNED})

What = Literal["asked", "left", "refused", "cancelled", "arrived", "came_back"]
Stage = Literal["unfulfilled", "shipping", "partial", "shipped", "delivered"]
"""How far an order is fulfilled."""


@dataclass(frozen=True, slots=True)
class Move:
    when: What
    at: Status
    to: Status
    say: type[Event] | None = None


# fmt: off
FULFILMENT = (
    #    when it is    at         moves to    and says
    Move("asked",      PENDING,   SHIPPING),                        # of inventory, which lets it leave or not
    Move("left",       SHIPPING,  SHIPPED,    FulfilmentShipped),
    Move("left",       PENDING,   SHIPPED,    FulfilmentShipped),   # not tracked, or after an earlier refusal after all
    Move("refused",    SHIPPING,  PENDING),
    Move("cancelled",  PENDING,   CANCELLED,  FulfilmentCancelled),
    Move("cancelled",  SHIPPING,  CANCELLED,  FulfilmentCancelled),
    Move("arrived",    SHIPPED,   DELIVERED,  FulfilmentDelivered),
    Move("came_back",  SHIPPED,   RETURNED,   FulfilmentReturned),
    Move("came_back",  DELIVERED, RETURNED,   FulfilmentReturned),
)
# fmt: on

_MOVES = {(move.when, move.at): move for move in FULFILMENT}


@dataclass(slots=True)
class Line:
    """A line of the order, as far as it is fulfilled."""

    line_no: int
    sku: str
    quantity: int
    total_minor: int
    shipped: int
    cancelled: int
    returned: int

    def share(self, units: int, after: int) -> int:
        """What the `units` after the first `after` cost: over all units it is the line's total, to the penny."""
        return self.total_minor * (after + units) // self.quantity - self.total_minor * after // self.quantity

    def ship(self, units: int) -> int:
        money = self.share(units, self.shipped + self.cancelled)
        self.shipped += units
        return money

    def cancel(self, units: int) -> int:
        money = self.share(units, self.shipped + self.cancelled)
        self.cancelled += units
        return money

    @property
    def returnable(self) -> int:
        """Units that left and did not come back."""
        return max(0, self.shipped - self.returned)

    @property
    def paid_back_unshipped(self) -> int:
        """Units whose money was given back as of a return, though nothing of them is known to have left."""
        return max(0, self.returned - self.shipped)


@dataclass(slots=True)
class Part:
    """What a fulfilment has of an order's line."""

    line_no: int
    quantity: int
    shipped: int = 0
    cancelled: int = 0
    cancelling: int = 0
    shipped_minor: int = 0
    cancelled_minor: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.shipped - self.cancelled - self.cancelling


@dataclass(slots=True)
class Fulfilment:
    id: UUID
    order_id: UUID
    location: str | None
    status: Status
    created_at: datetime
    refused: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    parts: dict[int, Part] = field(default_factory=dict)

    def move(self, when: What) -> type[Event] | None:
        """Raises KeyError where there is no such move: look at `can` before. Gives what is to be said."""
        move = _MOVES[when, self.status]
        self.status = move.to
        return move.say

    def can(self, when: What) -> bool:
        return (when, self.status) in _MOVES

    @property
    def open(self) -> int:
        return sum(part.open for part in self.parts.values())

    @property
    def under_way(self) -> bool:
        """Whether anything of it may still leave, or is being asked back."""
        return self.status in OPEN and any(part.open or part.cancelling for part in self.parts.values())

    def told(self, lines: dict[int, Line], *, whole: bool = False) -> list[FulfilledLine]:
        """Its units by line; with `whole`, also those that were cancelled."""
        return [
            FulfilledLine(
                line_no=part.line_no,
                sku=lines[part.line_no].sku,
                quantity=part.quantity if whole else part.quantity - part.cancelled,
            )
            for part in self.parts.values()
            if part.quantity > (0 if whole else part.cancelled)
        ]


def stage_of(fulfilments: list[Fulfilment]) -> Stage:
    """How far the order is that has these."""
    gone = [one for one in fulfilments if one.status in GONE]
    if not gone:
        return "shipping" if any(one.status is SHIPPING for one in fulfilments) else "unfulfilled"
    if any(one.under_way for one in fulfilments):
        return "partial"
    return "shipped" if any(one.status is SHIPPED for one in gone) else "delivered"
