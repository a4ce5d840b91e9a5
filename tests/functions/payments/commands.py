"""The commands of these tests, with keys as an order saga gives them: one per order and operation."""

from uuid import UUID

from shared.payments.events import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment


def authorize(order: UUID, token: str = "tok_approve", amount_minor: int = 1000, key: str = "") -> AuthorizePayment:
    return AuthorizePayment(
        order_id=order,
        amount_minor=amount_minor,
        currency="GBP",
        payment_token=token,
        command_key=key or f"{order}:authorize",
    )


def capture(order: UUID, amount_minor: int | None = None, key: str = "") -> CapturePayment:
    return CapturePayment(order_id=order, amount_minor=amount_minor, command_key=key or f"{order}:capture")


def void(order: UUID, amount_minor: int | None = None, key: str = "") -> VoidPayment:
    return VoidPayment(order_id=order, amount_minor=amount_minor, command_key=key or f"{order}:void")


def refund(order: UUID, number: int, amount_minor: int, key: str = "") -> RefundPayment:
    return RefundPayment(
        order_id=order,
        refund_id=refund_id(order, number),
        amount_minor=amount_minor,
        reason="arrived broken",
        command_key=key or f"{order}:refund:{number}",
    )


def refund_id(order: UUID, number: int) -> UUID:
    return UUID(int=order.int ^ number)
