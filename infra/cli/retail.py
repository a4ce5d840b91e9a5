"""Reads a retailer's invoice lines, warts and all, from csv or csv.gz."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/London")
CURRENCY = "GBP"

COLUMNS = ("invoice", "code", "description", "quantity", "at", "price", "customer", "country")
REQUIRED = frozenset({"invoice", "code", "quantity", "at", "price"})
HEADINGS = {
    "invoiceno": "invoice",
    "invoice": "invoice",
    "invoicenumber": "invoice",
    "stockcode": "code",
    "sku": "code",
    "description": "description",
    "quantity": "quantity",
    "qty": "quantity",
    "invoicedate": "at",
    "date": "at",
    "unitprice": "price",
    "price": "price",
    "customerid": "customer",
    "customer": "customer",
    "country": "country",
}
DELIMITERS = ",;\t|"
LARGEST_QUANTITY = 2**31 - 1
LARGEST_PRICE = Decimal(10) ** 9
# a quoted field may hold line breaks, but a quote that is never closed must not swallow the rest of the file
LONGEST_RECORD = 20

ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?")
NUMERIC = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T]+(\d{1,2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(?:\s*([AaPp])[Mm])?)?"
)


class NotRetail(Exception):
    """The file as a whole is not one of invoice lines; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One invoice line; `number` is where it stands in the file, the header being line 1."""

    number: int
    invoice: str
    position: int  # which line of its invoice, from 1: unlike `number` the same in every file that holds the invoice
    code: str
    description: str
    quantity: int
    at: datetime
    unit_price: Decimal
    customer: str | None
    country: str

    @property
    def sku(self) -> str:
        return self.code.upper()

    @property
    def amount_minor(self) -> int:
        return minor(self.unit_price * self.quantity)

    @property
    def month(self) -> str:
        return f"{self.at:%Y-%m}"

    @property
    def cancels(self) -> bool:
        return self.invoice.startswith("C")

    @property
    def sells(self) -> bool:
        """A sale in the books' sense: quantity and price above zero, and no cancellation."""
        return not self.cancels and self.quantity > 0 and self.unit_price > 0


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that cannot be read as an invoice line; `amount_minor` is 0 where even that cannot be told."""

    number: int
    invoice: str
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Retail:
    """What a file says, in its own order."""

    lines: Sequence[Line]
    broken: Sequence[Broken]
    digest: str  # of the text within, so that FILE.csv and FILE.csv.gz are the same file

    @property
    def sales_minor_by_month(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for line in self.lines:
            if line.sells:
                totals[line.month] = totals.get(line.month, 0) + line.amount_minor
        return dict(sorted(totals.items()))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column stands, and whether 1/2/2011 is the first of February."""

    delimiter: str
    places: dict[str, int]
    width: int
    day_first: dict[str, bool] = field(default_factory=dict)


def minor(amount: Decimal) -> int:
    """Pennies, half a penny away from zero."""
    return int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def read(path: Path) -> Retail:
    """Raises NotRetail when the file is not one of invoice lines at all, OSError when it cannot be read."""
    return parse(_unpacked(path))


def parse(content: bytes) -> Retail:
    texts = _texts(content)
    layout, body = _layout(texts)
    rows = list(_rows(texts, body, layout))
    layout = replace(layout, day_first=_date_orders(layout, rows))
    lines: list[Line] = []
    broken: list[Broken] = []
    positions: dict[str, int] = {}
    for number, row in rows:
        cells = _cells(layout, row)
        invoice = _plain_number(cells.get("invoice", "")).upper()
        position = positions[invoice] = positions.get(invoice, 0) + 1
        try:
            if len(row) < layout.width or any(row[layout.width :]):
                raise ValueError(f"{len(row)} fields where the header has {layout.width}")
            lines.append(_line(number, invoice, position, cells, layout))
        except ValueError as fault:
            broken.append(Broken(number, invoice, _amount_or_zero(cells), f"cannot be read: {fault}"))
    return Retail(_one_customer_per_invoice(lines), broken, hashlib.sha256(content).hexdigest())


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
        raise NotRetail(f"{path} is a damaged gzip file ({fault}); it was perhaps not copied to its end") from fault


def _text(line: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def _texts(content: bytes) -> list[str]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", errors="replace").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return [_text(line.rstrip(b"\r")) for line in content.split(b"\n")]


def _rows(texts: list[str], at: int, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line; where quotes do not match, they are taken away."""
    while at < len(texts):
        row, size = _split(texts[at : at + 1], layout.delimiter), 1
        if len(row) != layout.width and texts[at].count('"') % 2:
            row, size = _closed(texts, at, layout) or (row, size)
        if not row:
            row = texts[at].replace('"', "").split(layout.delimiter)
        if texts[at].strip():
            yield at + 1, row
        at += size


def _closed(texts: list[str], at: int, layout: Layout) -> tuple[list[str], int] | None:
    """The record that begins with an open quote, down to the line that closes it, if that makes a whole one."""
    for size in range(2, LONGEST_RECORD + 1):
        row = _split(texts[at : at + size], layout.delimiter)
        if len(row) == layout.width:
            return row, size
    return None


def _split(texts: list[str], delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([f"{text}\n" for text in texts], delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    return rows[0] if len(rows) == 1 else []


def _layout(texts: list[str]) -> tuple[Layout, int]:
    """The layout, and where the lines begin."""
    first = next((at for at, text in enumerate(texts) if text.strip()), None)
    if first is None:
        raise NotRetail("the file is empty")
    for delimiter in DELIMITERS:
        row = _split(texts[first : first + 1], delimiter)
        places: dict[str, int] = {}
        for place, heading in enumerate(row):
            column = HEADINGS.get(re.sub(r"[^a-z]", "", heading.lower()))
            if column:
                places.setdefault(column, place)
        if places.keys() >= REQUIRED:
            return Layout(delimiter, places, len(row)), first + 1
        headless = Layout(delimiter, {name: place for place, name in enumerate(COLUMNS)}, len(COLUMNS))
        if len(row) == len(COLUMNS) and _reads(headless, row):
            return headless, first
    raise NotRetail(
        "the header must name InvoiceNo, StockCode, Quantity, InvoiceDate and UnitPrice, "
        f"but the first line is {texts[first][:120]!r}"
    )


def _reads(layout: Layout, row: list[str]) -> bool:
    cells = _cells(layout, row)
    try:
        _line(1, cells["invoice"], 1, cells, layout)
    except ValueError:
        return False
    return True


def _cells(layout: Layout, row: list[str]) -> dict[str, str]:
    return {name: row[place].strip() for name, place in layout.places.items() if place < len(row)}


def _line(number: int, invoice: str, position: int, cells: dict[str, str], layout: Layout) -> Line:
    if not invoice:
        raise ValueError("no invoice number")
    code = _plain_number(cells["code"])
    if not code:
        raise ValueError("no stock code")
    return Line(
        number=number,
        invoice=invoice,
        position=position,
        code=code,
        description=_printable(cells.get("description", "")),
        quantity=_quantity(cells["quantity"]),
        at=_moment(cells["at"], layout.day_first),
        unit_price=_price(cells["price"], layout.delimiter),
        customer=_known(_plain_number(cells.get("customer", ""))),
        country=_known(_printable(cells.get("country", ""))) or "",
    )


def _printable(text: str) -> str:
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _plain_number(text: str) -> str:
    """A number that went through a spreadsheet: 17850.0 is 17850."""
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def _known(text: str) -> str | None:
    return None if text.lower() in ("", "nan", "null", "none", "n/a") else text


def _decimal(text: str, comma_is_point: bool = False) -> Decimal:
    cleaned = text.removeprefix("£").replace("\u00a0", "").strip()
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d*)?", cleaned) and not comma_is_point:
        cleaned = cleaned.replace(",", "")
    elif re.fullmatch(r"-?\d*,\d+", cleaned):
        cleaned = cleaned.replace(",", ".")
    if not cleaned.isascii():
        raise InvalidOperation
    number = Decimal(cleaned)
    if not number.is_finite():
        raise InvalidOperation
    return number


def _quantity(text: str) -> int:
    try:
        number = _decimal(text)
    except InvalidOperation:
        raise ValueError(f"the quantity is {text[:40]!r}") from None
    if number.adjusted() > len(str(LARGEST_QUANTITY)) or abs(number) > LARGEST_QUANTITY:
        raise ValueError(f"a quantity of {text[:40]} is more than any stock")
    if number != int(number):
        raise ValueError(f"a quantity of {text[:40]} is no whole number")
    return int(number)


def _price(text: str, delimiter: str) -> Decimal:
    try:
        number = _decimal(text, comma_is_point=delimiter != ",")
    except InvalidOperation:
        raise ValueError(f"the unit price is {text[:40]!r}") from None
    if number.adjusted() > LARGEST_PRICE.adjusted() or abs(number) > LARGEST_PRICE:
        raise ValueError(f"a unit price of {text[:40]} is beyond all books")
    return number if abs(number) >= Decimal("1e-12") else Decimal(0)


def _amount_or_zero(cells: dict[str, str]) -> int:
    try:
        return minor(_price(cells.get("price", ""), "") * _quantity(cells.get("quantity", "")))
    except ValueError:
        return 0


def _date_orders(layout: Layout, rows: list[tuple[int, list[str]]]) -> dict[str, bool]:
    """Whether the day comes first, by separator: told by a number above 12 anywhere in the file, else by habit."""
    orders = {"/": False, "-": True, ".": True}
    largest: dict[str, tuple[int, int]] = {}
    for _, row in rows:
        match = NUMERIC.fullmatch(_cells(layout, row).get("at", ""))
        if match:
            first, second = largest.get(match[2], (0, 0))
            largest[match[2]] = max(first, int(match[1])), max(second, int(match[3]))
    for separator, (first, second) in largest.items():
        if (first > 12) != (second > 12):
            orders[separator] = first > 12
    return orders


def _moment(text: str, day_first: dict[str, bool]) -> datetime:
    """The retailer's own time, unless the text names another offset."""
    try:
        if ISO.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return moment.astimezone(ZONE) if moment.tzinfo else moment.replace(tzinfo=ZONE)
        match = NUMERIC.fullmatch(text)
        if match:
            return _numeric_moment(match, day_first)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"the invoice date is {text[:40]!r}")


def _numeric_moment(match: re.Match[str], day_first: dict[str, bool]) -> datetime:
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    day, month = (first, second) if day_first.get(match[2], False) else (second, first)
    hour, minute = int(match[5] or 0), int(match[6] or 0)
    if match[7]:
        hour = hour % 12 + (12 if match[7] in "Pp" else 0)
    return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, tzinfo=ZONE)


def _one_customer_per_invoice(lines: list[Line]) -> list[Line]:
    """Lines without a customer belong to their invoice's, if it names exactly one."""
    named: dict[str, set[str]] = {}
    bare = set()
    for line in lines:
        if line.customer is None:
            bare.add(line.invoice)
        else:
            named.setdefault(line.invoice, set()).add(line.customer)
    sole = {invoice: next(iter(named[invoice])) for invoice in bare if len(named.get(invoice, ())) == 1}
    if not sole:
        return lines
    return [
        replace(line, customer=sole[line.invoice]) if line.customer is None and line.invoice in sole else line
        for line in lines
    ]
