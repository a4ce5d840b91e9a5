"""What a caller of the payments domain can be told."""

from shared.runtime import Problem


class PaymentNotFound(Problem, status=404, title="There is no payment for this order"):
    pass
