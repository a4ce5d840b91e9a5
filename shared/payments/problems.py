"""What a caller of the payments domain can be told."""

from shared.runtime import Problem


class PaymentNotFound(Problem, status=404, title="There is no payment for this order"):
    pass


class NoProviderBooks(Problem, status=503, title="The provider's books cannot be read for the moment", retry_after_s=5):
    pass
