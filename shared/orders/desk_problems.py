"""What those who look after orders are refused, and why."""

from typing import Any
from uuid import UUID

from shared.runtime import Problem


class UnknownNumber(Problem, status=404, title="No order has this number"):
    number: str


class UnknownCustomer(Problem, status=404, title="The shop knows nothing of this customer"):
    customer_id: str


class CannotChangeAddress(Problem, status=409, title="The order's addresses cannot be changed any more"):
    order_id: UUID
    status_now: str
    fulfilment_now: str


class OtherCountry(Problem, status=409, title="The order would go to another country"):
    """Its tax and its shipping were reckoned for the country that it was placed for."""

    order_id: UUID
    country: str | None


class CannotReview(Problem, status=409, title="The order cannot be held for review"):
    order_id: UUID
    status_now: str
    fulfilment_now: str


class NotUnderReview(Problem, status=409, title="The order is not held for review"):
    order_id: UUID


class TooManyTags(Problem, status=409, title="An order has no more tags than that"):
    order_id: UUID
    at_most: int


class CannotComplete(Problem, status=409, title="Something of the order is still open"):
    """`open` says what: its status, lines that are neither shipped nor cancelled, or money that is not captured."""

    order_id: UUID
    open: dict[str, Any]


class OrdersStillOpen(Problem, status=409, title="Orders of this person are still under way"):
    """Those in `moving` end within minutes, or need attention; those in `to_be_sent` are erased too with `sent_too`."""

    moving: list[UUID]
    to_be_sent: list[UUID]
