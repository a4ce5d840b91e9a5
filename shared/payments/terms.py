"""What our own books allow of a payment, before the provider is asked: it is not troubled with what cannot be."""

from shared.runtime.pipeline import Row

Terms = tuple[int, str | None]
"""The amount, and the code of the refusal if there is one."""


def _authorize_terms(payment: Row, wanted_minor: int | None) -> Terms:
    refusals = {"authorized": "already_authorized", "captured": "already_authorized", "voided": "voided"}
    return wanted_minor or 0, refusals.get(payment.status)


def _capture_terms(payment: Row, wanted_minor: int | None) -> Terms:
    left = payment.authorized_minor - payment.captured_minor - payment.voided_minor
    amount = left if wanted_minor is None else wanted_minor
    refusals = {"created": "not_authorized", "declined": "not_authorized", "voided": "voided"}
    if payment.status == "captured" and left == 0:
        return amount, "already_captured"
    return amount, refusals.get(payment.status, None if amount <= left else "exceeds_authorized")


def _void_terms(payment: Row, wanted_minor: int | None) -> Terms:
    left = payment.authorized_minor - payment.captured_minor - payment.voided_minor
    amount = left if wanted_minor is None else wanted_minor
    if payment.status in ("created", "declined", "voided"):
        return 0, None
    if payment.status == "captured" and left == 0:
        return amount, "already_captured"
    return amount, None if amount <= left else "exceeds_authorized"


def _refund_terms(payment: Row, wanted_minor: int | None) -> Terms:
    amount = wanted_minor or 0
    return amount, None if 0 < amount <= payment.captured_minor - payment.refunded_minor else "exceeds_captured"


TERMS = {
    "authorize": _authorize_terms,
    "capture": _capture_terms,
    "void": _void_terms,
    "refund": _refund_terms,
}
