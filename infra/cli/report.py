"""The end of a replay: what of the file is in the shop's books, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from infra.cli.plan import NotTaken, Sale
from infra.cli.retail import Line, Retail, minor


class Tally:
    """Collects the shop's answers, line by line."""

    def __init__(self) -> None:
        self.sales: Counter[str] = Counter()
        self.refunds: Counter[str] = Counter()
        self.booked_sales: Counter[datetime] = Counter()  # by their moment: the shop's months may be others
        self.booked_refunds: Counter[datetime] = Counter()
        self._taken: dict[int, str] = {}
        self._not_taken: dict[int, NotTaken] = {}

    def sold(self, sale: Sale, total_minor: int) -> None:
        self.sales[sale.month] += total_minor
        self.booked_sales[sale.at] += total_minor
        self.booked(sale.lines)

    def refunded(self, line: Line, amount_minor: int) -> None:
        self.refunds[line.month] += amount_minor
        self.booked_refunds[line.at] += amount_minor

    def booked(self, lines: Iterable[Line]) -> None:
        self._taken |= {line.number: line.invoice for line in lines}

    def refused(self, lines: Iterable[Line], reason: str) -> None:
        for line in lines:
            self.missing(NotTaken(line.invoice, line.number, line.amount_minor, reason))

    def missing(self, entry: NotTaken) -> None:
        self._not_taken[entry.line] = entry

    @property
    def invoices(self) -> int:
        return len(set(self._taken.values()))

    @property
    def lines(self) -> int:
        return len(self._taken)

    @property
    def not_taken(self) -> list[NotTaken]:
        return [self._not_taken[number] for number in sorted(self._not_taken)]


@dataclass(frozen=True, slots=True)
class Books:
    """The shop's own figures by month, by its own clock."""

    zone: str = "UTC"
    sales: Mapping[str, int] = field(default_factory=dict)
    refunds: Mapping[str, int] = field(default_factory=dict)

    def missing(self, tally: Tally) -> list[tuple[str, str, int, int]]:
        """What was taken and is not there: sales or refunds, the month, what is there, what was taken."""
        return [
            (name, month, booked.get(month, 0), amount)
            for name, booked, taken in (
                ("sales", self.sales, tally.booked_sales),
                ("refunds", self.refunds, tally.booked_refunds),
            )
            for month, amount in sorted(_by_month(taken, self.zone).items())
            if booked.get(month, 0) < amount
        ]


@dataclass(frozen=True, slots=True)
class Report:
    """`books` are the shop's own figures; they may hold more than this file, never less.

    `violations` is None where the invariant checker could not be asked; `unasked` says why.
    """

    tally: Tally
    retail: Retail
    violations: int | None
    books: Books = field(default_factory=Books)
    unasked: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "taken": {
                "invoices": self.tally.invoices,
                "lines": self.tally.lines,
                "sales_minor_by_month": dict(sorted(self.tally.sales.items())),
                "refunds_minor_by_month": dict(sorted(self.tally.refunds.items())),
            },
            "not_taken": [
                {
                    "invoice": entry.invoice,
                    "line": entry.line,
                    "amount_minor": entry.amount_minor,
                    "reason": entry.reason,
                }
                for entry in self.tally.not_taken
            ],
            "invariants": {"violations": self.violations},
        }

    @property
    def sales_not_taken(self) -> dict[str, int]:
        """By month. A line that could not be read has no month, and is told by its reason only."""
        months = {line.number: line.month for line in self.retail.lines if line.sells}
        missing: Counter[str] = Counter()
        for entry in self.tally.not_taken:
            if entry.line in months:
                missing[months[entry.line]] += entry.amount_minor
        return dict(missing)

    @property
    def faults(self) -> list[str]:
        """What must never be: a line without a fate, money that does not add up, books that say less, a violation."""
        found = []
        lines = len(self.retail.lines) + len(self.retail.broken)
        told = self.tally.lines + len(self.tally.not_taken)
        if told != lines:
            found.append(f"the file has {lines} lines, but {told} are accounted for")
        for month, total in self.retail.sales_minor_by_month.items():
            difference = self.tally.sales[month] + self.sales_not_taken.get(month, 0) - total
            if difference:
                found.append(f"{month}: taken and not taken differ from the file's sales by {pounds(difference)}")
        for name, month, booked, amount in self.books.missing(self.tally):
            found.append(f"{month}: the shop's books show {name} of {pounds(booked)}, less than {pounds(amount)}")
        found += self.unasked
        if self.violations:
            found.append(f"the invariant checker finds {self.violations} violation(s): see `kn-shop invariant check`")
        return found

    def as_text(self) -> str:
        tally = self.tally
        sales, missing = self.retail.sales_minor_by_month, self.sales_not_taken
        rows: list[tuple[str, ...]] = [
            ("MONTH", "SALES IN FILE", "TAKEN", "NOT TAKEN", "REFUNDED", "SHOP'S SALES", "SHOP'S REFUNDS")
        ]
        for month in sorted(sales.keys() | tally.sales.keys() | tally.refunds.keys()):
            books = (booked.get(month, 0) for booked in (self.books.sales, self.books.refunds))
            told = sales.get(month, 0), tally.sales[month], missing.get(month, 0), tally.refunds[month], *books
            rows.append((month, *map(pounds, told)))
        total, lost = sum(sales.values()), sum(missing.values())
        said = [*table(rows, numbers_from=1), ""]
        if tally.not_taken:
            listed = [(e.invoice, str(e.line), pounds(e.amount_minor), e.reason) for e in tally.not_taken]
            said += [
                *table([("INVOICE", "LINE", "AMOUNT", "NOT TAKEN BECAUSE"), *listed], numbers_from=1, numbers_to=3),
                "",
            ]
            said += [f"{count:>6} line(s): {reason}" for reason, count in _reasons(tally.not_taken)] + [""]
        exact = minor(sum((line.unit_price * line.quantity for line in self.retail.lines if line.sells), Decimal(0)))
        if exact != total:
            said += [
                f"Prices with fractions of a penny: rounded by line, {pounds(total - exact)} more than in all.",
                "",
            ]
        share = f"{100 * lost / total:.3f}%" if total else "none"
        said += [
            f"Taken: {tally.lines} lines of {tally.invoices} invoices.",
            f"Not taken: {len(tally.not_taken)} lines, among them sales of {pounds(lost)} ({share} of the file's).",
            f"Invariants: {'not checked' if self.violations is None else f'{self.violations} violation(s)'}.",
            *(f"FAULT: {fault}" for fault in self.faults),
        ]
        return "\n".join(said)


def _by_month(taken: Mapping[datetime, int], zone: str) -> Mapping[str, int]:
    months: Counter[str] = Counter()
    for at, amount in taken.items():
        months[f"{at.astimezone(ZoneInfo(zone)):%Y-%m}"] += amount
    return months


def _reasons(entries: Iterable[NotTaken]) -> list[tuple[str, int]]:
    """How often each occurs; what comes after its colon is about the single line."""
    return Counter(entry.reason.partition(":")[0] for entry in entries).most_common()


def pounds(amount_minor: int) -> str:
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{abs(amount_minor) // 100:,}.{abs(amount_minor) % 100:02}"


def table(rows: Sequence[tuple[str, ...]], *, numbers_from: int = 99, numbers_to: int = 99) -> list[str]:
    """Columns as kn shows them; those from `numbers_from` up to `numbers_to` stand to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "   ".join(
            cell.rjust(width) if numbers_from <= column < numbers_to else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
