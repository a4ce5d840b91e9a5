"""What our own books allow of a payment, before the provider is asked: it is not troubled with what cannot be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.runtime.pipeline import Row


@dataclass(frozen=True, slots=True)
class Sums:
    """What our books hold of one authorisation, in minor units."""

    id: str | None
    authorized: int
    captured: int
    voided: int
    refunded: int
    disputed: int = 0

    @property
    def left(self) -> int:
        return self.authorized - self.captured - self.voided

    @property
    def refundable(self) -> int:
        return self.captured - self.refunded - self.disputed


@dataclass(frozen=True, slots=True)
class Books:
    """A payment as it stands, with every attempt at it; `of` are its authorisations, the current one last."""

    payment: Row
    attempts: Sequence[Row]
    of: Sequence[Sums]

    @property
    def current(self) -> Sums:
        return self.of[-1]


@dataclass(frozen=True, slots=True)
class Terms:
    """The amount, at which authorisation, and the code of the refusal if there is one."""

    amount_minor: int
    refusal: str | None = None
    provider_id: str | None = None


def _authorize(books: Books, asked: Row) -> Terms:
    """A void that came before any authorisation was meant for the one that is late: that one alone is refused."""
    payment, amount = books.payment, asked.amount_minor or 0
    others = [one for one in books.attempts if one.key != asked.key]
    if payment.last_said == "voided" and not any(one.operation == "authorize" for one in others):
        return Terms(amount, "voided")
    nothing_stands = payment.authorized_minor == payment.voided_minor
    granted = nothing_stands and payment.last_said in ("authorized", "captured")
    if books.current.left > 0 or granted or payment.captured_minor + amount > max(payment.amount_minor, amount):
        covered = max(books.current.left + books.current.captured, payment.captured_minor) >= amount
        return Terms(amount, "already_authorized" if covered else "authorized_for_less")
    return Terms(amount)


def _capture(books: Books, asked: Row) -> Terms:
    now, said = books.current, books.payment.last_said
    amount = now.left if asked.amount_minor is None else asked.amount_minor
    if now.left == 0:
        if now.captured > 0 or said == "captured":
            return Terms(amount, "already_captured", now.id)
        if said == "voided":
            return Terms(amount, "voided", now.id)
        if said != "authorized":
            return Terms(amount, "not_authorized", now.id)
    return Terms(amount, None if amount <= now.left else "exceeds_authorized", now.id)


def _void(books: Books, asked: Row) -> Terms:
    now = books.current
    if asked.provider_id is not None:
        now = next((one for one in books.of if one.id == asked.provider_id), now)
    amount = now.left if asked.amount_minor is None else asked.amount_minor
    if now.left == 0:
        captured = now.captured > 0 or (now.authorized == 0 and books.payment.last_said == "captured")
        return Terms(amount, "already_captured", now.id) if captured else Terms(0, None, now.id)
    return Terms(amount, None if amount <= now.left else "exceeds_authorized", now.id)


def _refund(books: Books, asked: Row) -> Terms:
    """Of several authorisations the newest that has so much left pays it back."""
    amount = asked.amount_minor or 0
    for one in reversed(books.of):
        if 0 < amount <= one.refundable:
            return Terms(amount, None, one.id)
    disputed = 0 < amount <= books.current.refundable + books.current.disputed
    return Terms(amount, "disputed" if disputed else "exceeds_captured", books.current.id)


TERMS: dict[str, Callable[[Books, Row], Terms]] = {
    "authorize": _authorize,
    "capture": _capture,
    "void": _void,
    "refund": _refund,
}
