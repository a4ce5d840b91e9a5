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
