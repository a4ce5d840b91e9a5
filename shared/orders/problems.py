"""What the orders domain refuses, and why."""

from uuid import UUID

from shared.runtime import Problem


class UnknownOrder(Problem, status=404, title="There is no such order"):
    order_id: UUID


class UnknownSku(Problem, status=422, title="A line names a SKU that is not on sale"):
    skus: list[str]


class MixedCurrencies(Problem, status=422, title="The lines are priced in different currencies"):
    currencies: list[str]


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
