"""What becomes of every line of a file: part of a sale, a refund, a stock adjustment, or a reason why not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from infra.cli.retail import Broken, Line, Retail, minor
from shared.vocabulary import Quantity, Sku

LARGEST_ORDER = 1000
SKU: TypeAdapter[str] = TypeAdapter(Sku)
QUANTITY: TypeAdapter[int] = TypeAdapter(Quantity)
# Carriage, fees, discounts, corrections: things that stand on an invoice and on no shelf.
NON_GOODS = frozenset(
    {"POST", "DOT", "C2", "C3", "M", "D", "S", "B", "AMAZONFEE", "BANK CHARGES", "CRUK", "ADJUST", "ADJUST2"}
)
NAME = re.compile(r"[A-Za-z0-9][ -~]{0,79}")
GOODS_WITHOUT_A_NUMBER = re.compile(r"DCGS.*|PADS")


@dataclass(frozen=True, slots=True)
class Sale:
    """One recorded order: an invoice, or the part of it that is one customer's in one month."""

    reference: str
    customer: str | None
    lines: Sequence[Line]

    @property
    def at(self) -> datetime:
        return min(line.at for line in self.lines)

    @property
    def month(self) -> str:
        return self.lines[0].month

    @property
    def amount_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Return:
    """One cancellation line of a customer."""

    line: Line
    customer: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Stock written off or found."""

    line: Line
    delta: int
    note: str

    @property
    def at(self) -> datetime:
        return self.line.at


@dataclass(frozen=True, slots=True)
class NotTaken:
    """`amount_minor` is what is missing from the shop's books: below zero for a refund."""

    invoice: str
    line: int
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    sales: Sequence[Sale]
    returns: Sequence[Return]
    adjustments: Sequence[Adjustment]
    not_taken: Sequence[NotTaken]


def _fits(kind: TypeAdapter[Any], value: object) -> bool:
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


@cache
def is_sku(code: str) -> bool:
    """Whether the shop takes it for one."""
    return _fits(SKU, code)


def is_name(text: str) -> bool:
    """Whether the shop takes it as the name of an invoice or a customer, in its paths and keys too."""
    return bool(NAME.fullmatch(text))


def is_goods(sku: str) -> bool:
    """Whether stock is kept of it."""
    if sku in NON_GOODS:
        return False
    return any(sign.isdigit() for sign in sku) or bool(GOODS_WITHOUT_A_NUMBER.fullmatch(sku))


def in_pennies(quantity: int, unit_price: Decimal) -> list[tuple[int, int]]:
    """(quantity, unit price in pennies), once, or twice a penny apart where the price has fractions of a penny.

    The shop's prices are whole pennies, and the line's rounded amount must come out all the same.
    """
    low, dearer = divmod(minor(unit_price * quantity), quantity)
    return [(count, price) for count, price in ((quantity - dearer, low), (dearer, low + 1)) if count]


def plan(retail: Retail) -> Plan:
    """Every line of the file is in exactly one place of the answer."""
    returns: list[Return] = []
    adjustments: list[Adjustment] = []
    not_taken = [_unreadable(broken) for broken in retail.broken]
    for_sale: list[Line] = []
    charged = {line.invoice for line in retail.lines if line.sells}
    for line in retail.lines:
        reason = _objection(line)
        if reason:
            not_taken.append(NotTaken(line.invoice, line.number, line.amount_minor, reason))
        elif line.cancels:
            assert line.customer is not None
            returns.append(Return(line, line.customer))
        elif line.quantity > 0 and (line.unit_price > 0 or line.customer or line.invoice in charged):
            for_sale.append(line)
        elif is_goods(line.sku):
            adjustments.append(Adjustment(line, line.quantity, _adjustment_note(line)))
        else:
            not_taken.append(
                NotTaken(line.invoice, line.number, 0, f"nothing to adjust, as no stock is kept: SKU {line.sku}")
            )
    returns.sort(key=lambda back: (back.line.at, back.line.number))
    return Plan(_sales(for_sale), returns, adjustments, not_taken)


def _unreadable(broken: Broken) -> NotTaken:
    return NotTaken(broken.invoice, broken.number, broken.amount_minor, broken.reason)


def _objection(line: Line) -> str | None:
    if line.quantity == 0:
        return "a quantity of zero"
    if line.unit_price < 0:
        return "a price below zero: a correction of the ledger, not a sale"
    if line.cancels:
        if line.quantity > 0:
            return "a cancellation with a quantity above zero"
        if line.customer is None:
            return "a guest's cancellation: which sale it belongs to is not known"
    elif line.quantity < 0 and line.unit_price > 0:
        return "a quantity below zero at a price, but no cancellation"
    return _unfit(line)


def _unfit(line: Line) -> str | None:
    if not is_name(line.invoice):
        return "the shop takes no invoice number of this form"
    if line.customer is not None and not is_name(line.customer):
        return f"the shop takes no customer of this form: {line.customer[:80]!r}"
    if not is_sku(line.sku):
        return f"the shop takes no SKU of this form: {line.sku[:70]!r}"
    if not _fits(QUANTITY, abs(line.quantity)):
        return "a quantity of more than one line of the shop can hold"
    return None


def _adjustment_note(line: Line) -> str:
    what = "written off" if line.quantity < 0 else "found"
    return f"{what}: {line.description[:120] or 'no reason given'} (invoice {line.invoice[:40]})"


def _sales(lines: Iterable[Line]) -> list[Sale]:
    """One sale for each invoice; a second one only where an invoice names two customers, two months, or is endless."""
    groups: dict[tuple[str, str | None, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.invoice, line.customer, line.month), []).append(line)
    sales: list[Sale] = []
    counts: dict[str, int] = {}
    for (invoice, customer, _), members in groups.items():
        for start in range(0, len(members), LARGEST_ORDER):
            count = counts[invoice] = counts.get(invoice, 0) + 1
            reference = invoice if count == 1 else f"{invoice}/{count}"
            sales.append(Sale(reference, customer, tuple(members[start : start + LARGEST_ORDER])))
    return sorted(sales, key=lambda sale: (sale.at, sale.lines[0].number))
