"""What the orders domain refuses, and why."""

from typing import NamedTuple
from uuid import UUID

from shared.runtime import Problem


class UnknownOrder(Problem, status=404, title="There is no such order"):
    order_id: UUID


class Fault(NamedTuple):
    """One reason why an order cannot be had: where in the request, a code to branch on, and the same in words."""

    pointer: str
    code: str
    detail: str


class OrderRefused(Problem, status=422, title="The order cannot be had as it is wanted"):
    """`errors` names every reason at once: `pointer` into the request, `code` to branch on, and `detail`."""

    errors: list[dict[str, str]]


class InvalidLink(Problem, status=404, title="The link is not valid, or not any more"):
    pass


class UnknownTaxRate(Problem, status=404, title="There is no such tax rate"):
    country: str
    region: str | None
    tax_class: str


class UnknownShippingMethod(Problem, status=404, title="There is no such shipping method"):
    code: str


class UnknownDiscount(Problem, status=404, title="There is no such discount"):
    code: str


class DiscountInUse(Problem, status=409, title="The discount was used more often than that, or by more than that"):
    """`uses` is how often orders that stand have used it."""

    code: str
    uses: int


class CannotCancel(Problem, status=409, title="The order cannot be cancelled any more"):
    order_id: UUID
    status_now: str


class CannotPay(Problem, status=409, title="The order does not wait for a payment"):
    order_id: UUID
    status_now: str


class TooManyCards(Problem, status=409, title="No further card is tried for this order"):
    order_id: UUID
    at_most: int


class NoSteering(Problem, status=409, title="Nothing of the kind can be done where the saga stands"):
    order_id: UUID
    state_now: str


class SagaHasMoved(Problem, status=409, title="The saga has moved on from the state that was seen"):
    order_id: UUID
    state_now: str


class NoSuchCategory(Problem, status=422, title="There is no such category"):
    category: str


class UnknownTimeZone(Problem, status=422, title="There is no such time zone"):
    time_zone: str


class TooManyFigures(Problem, status=422, title="These are too many figures for one answer: ask for less time"):
    most: int
