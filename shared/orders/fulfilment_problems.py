"""What is refused of shipping, cancelling by line, paying back and taking back, and why."""

from uuid import UUID

from shared.runtime import Problem


class UnknownFulfilment(Problem, status=404, title="There is no such fulfilment"):
    fulfilment_id: UUID


class UnknownStep(Problem, status=404, title="There is no such step"):
    step_id: UUID


class UnknownRefund(Problem, status=404, title="There is no such refund"):
    refund_id: UUID


class UnknownRefundRequest(Problem, status=404, title="There is no such request for a refund"):
    request_id: UUID


class UnknownReturn(Problem, status=404, title="There is no such return"):
    return_id: UUID


class UnderReview(Problem, status=409, title="Nothing is shipped of an order under review"):
    order_id: UUID
    review: str


class OrderNotReady(Problem, status=409, title="The order is not paid for, or not any more"):
    order_id: UUID
    status_now: str


class FulfilmentHasMoved(Problem, status=409, title="The fulfilment is past that"):
    fulfilment_id: UUID
    status_now: str


class NotSoMany(Problem, status=409, title="There are not so many units of which that can be done"):
    """`lines` has every line of the order of which fewer are left."""

    order_id: UUID
    lines: list[dict[str, int]]


class MoreThanPaid(Problem, status=409, title="That is more than was paid and not given back yet"):
    order_id: UUID
    refundable_minor: int


class RefundRequestOpen(Problem, status=409, title="A request for a refund of this order is open already"):
    order_id: UUID


class AlreadyDecided(Problem, status=409, title="The request was decided before"):
    request_id: UUID
    status_now: str


class NotFailed(Problem, status=409, title="Only what has failed is tried again"):
    status_now: str


class ReturnClosed(Problem, status=409, title="Nothing more is expected of the return"):
    return_id: UUID
    status_now: str
