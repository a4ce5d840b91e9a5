"""Reading invoice lines: every line of a file is read or named as broken, whatever the file looks like."""

import contextlib
import csv
import gzip
import io
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.retail import COLUMNS, ZONE, NotRetail, parse, read

SAMPLE = Path(__file__).parents[2] / "data" / "invoices.csv"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LINE = "536365,85123A,WHITE HEART,6,2010-12-01T08:26,2.55,17850,United Kingdom"


def test_the_sample_is_read_with_all_its_warts() -> None:
    retail = read(SAMPLE)

    assert [(line.number, line.invoice) for line in retail.broken] == [
        (24, "940003"),
        (25, "940003"),
        (26, "940003"),
        (29, "940006"),
    ]
    assert [broken.amount_minor for broken in retail.broken] == [0, 425, 0, 85]
    assert len(retail.lines) == 26
    assert retail.sales_minor_by_month == {
        "2010-12": 1530 + 550 + 425 + 5400 + 9000 + 762 + 842,
        "2011-01": 0 + 855 + 425,
        "2011-02": 425 + 1106206 + 340 + 51579425,
    }


def test_what_a_line_says() -> None:
    (line,) = parse(f"{HEADER}\n{LINE}\n".encode()).lines

    assert (line.number, line.invoice, line.position, line.sku) == (2, "536365", 1, "85123A")
    assert (line.quantity, line.unit_price, line.amount_minor) == (6, Decimal("2.55"), 1530)
    assert (line.at, line.month, line.customer) == (datetime(2010, 12, 1, 8, 26, tzinfo=ZONE), "2010-12", "17850")
    assert line.sells
    assert not line.cancels


@pytest.mark.parametrize(
    "pack",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("cp1252"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: "\n\n".join(text.splitlines()).encode(),
        lambda text: text.partition("\n")[2].encode(),
    ],
    ids=["utf-8", "bom", "cp1252", "utf-16", "crlf", "cr", "semicolons", "tabs", "blank lines", "no header"],
)
def test_the_same_lines_in_many_wrappings(pack: Callable[[str], bytes]) -> None:
    text = f"{HEADER}\n{LINE.replace('WHITE HEART', 'VOUCHER £20')}\n{LINE.replace('6', '7')}\n"

    retail = parse(pack(text))

    assert [line.description for line in retail.lines] == ["VOUCHER £20", "WHITE HEART"]
    assert retail.broken == []


def test_csv_and_gz_are_the_same_file(tmp_path: Path) -> None:
    packed = tmp_path / "invoices.csv.gz"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))

    assert read(packed) == read(SAMPLE)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2010-12-01T08:26", datetime(2010, 12, 1, 8, 26, tzinfo=ZONE)),
        ("2010-12-01 08:26:00", datetime(2010, 12, 1, 8, 26, tzinfo=ZONE)),
        ("2010-07-01T07:26:00Z", datetime(2010, 7, 1, 8, 26, tzinfo=ZONE)),
        ("2010-12-01", datetime(2010, 12, 1, tzinfo=ZONE)),
        ("12/1/2010 8:26", datetime(2010, 12, 1, 8, 26, tzinfo=ZONE)),
        ("12/1/10 8:26", datetime(2010, 12, 1, 8, 26, tzinfo=ZONE)),
        ("12/1/2010 8:26:00 PM", datetime(2010, 12, 1, 20, 26, tzinfo=ZONE)),
        ("13/12/2010 08:26", datetime(2010, 12, 13, 8, 26, tzinfo=ZONE)),
        ("01-12-2010 08:26", datetime(2010, 12, 1, 8, 26, tzinfo=ZONE)),
        ("01.12.2010 08:26", datetime(2010, 12, 1, 8, 26, tzinfo=ZONE)),
    ],
)
def test_dates(told: str, meant: datetime) -> None:
    (line,) = parse(f"{HEADER}\n{LINE.replace('2010-12-01T08:26', told)}".encode()).lines

    assert line.at == meant


def test_one_date_tells_the_order_of_all() -> None:
    days = [LINE.replace("2010-12-01T08:26", day) for day in ("2/3/2011 8:00", "14/3/2011 8:00")]

    retail = parse("\n".join([HEADER, *days]).encode())

    assert [line.at.day for line in retail.lines] == [2, 14]


@pytest.mark.parametrize(
    ("price", "minor"),
    [("2.55", 255), ("£2.55", 255), ('"1,062.06"', 106206), ("0.001", 0), ("1e2", 10000), ("-3", -300)],
)
def test_prices(price: str, minor: int) -> None:
    (line,) = parse(f"{HEADER}\n1,A1,X,1,2010-12-01,{price},,\n".encode()).lines

    assert line.amount_minor == minor


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace("6,", "NaN,", 1),
        LINE.replace(",6,", ",6.5,"),
        LINE.replace(",6,", ",99999999999999,"),
        LINE.replace("2.55", "Infinity"),
        LINE.replace("2.55", "1e400"),
        LINE.replace("2.55", ""),
        LINE.replace("2010-12-01", "2010-13-01"),
        LINE.replace("2010-12-01T08:26", "0001-01-01T00:00+14:00"),
        LINE.replace("536365", ""),
        LINE.replace("85123A", ""),
        LINE + ",more,fields",
        "536365,85123A",
        "\x00",
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    retail = parse(f"{HEADER}\n{LINE}\n{line}\n{LINE}\n".encode())

    assert len(retail.lines) in (2, 3)
    assert len(retail.lines) + len(retail.broken) == 3
    assert all(broken.number == 3 and broken.reason.startswith("cannot be read: ") for broken in retail.broken)


def test_quotes_that_do_not_match_swallow_nothing() -> None:
    inches = LINE.replace("WHITE HEART", '12" RULER')
    opened = LINE.replace("WHITE HEART", '"WHITE HEART')

    retail = parse("\n".join([HEADER, *[inches, opened, LINE] * 2]).encode())

    assert [line.number for line in retail.lines] == [2, 3, 4, 5, 6, 7]


def test_a_quoted_field_may_hold_line_breaks() -> None:
    retail = parse("\n".join([HEADER, LINE.replace("WHITE HEART", '"WHITE\nHEART, ""BIG"""'), LINE]).encode())

    assert [(line.number, line.description) for line in retail.lines] == [(2, 'WHITE HEART, "BIG"'), (4, "WHITE HEART")]


def test_lines_without_a_customer_belong_to_their_invoices() -> None:
    other = LINE.replace("536365", "536366")

    retail = parse("\n".join([HEADER, LINE, LINE.replace("17850", ""), other.replace("17850", "nan")]).encode())

    assert [line.customer for line in retail.lines] == ["17850", "17850", None]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"name,age\nx,1\n", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_another_kind_of_file_is_refused(content: bytes) -> None:
    with pytest.raises(NotRetail):
        parse(content)


def test_a_damaged_gz_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(SAMPLE.read_bytes())[:200])

    with pytest.raises(NotRetail, match="damaged"):
        read(cut)


@given(st.binary(max_size=400))
def test_no_bytes_make_it_crash(content: bytes) -> None:
    with contextlib.suppress(NotRetail):
        parse(content)
    body = parse(HEADER.encode() + b"\n" + content)
    assert {line.number for line in body.lines}.isdisjoint(broken.number for broken in body.broken)


texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=12)
rows = st.fixed_dictionaries(
    {
        "invoice": st.from_regex(r"C?[1-9][0-9]{5}", fullmatch=True),
        "code": st.from_regex(r"[1-9][0-9]{4}[A-Za-z]?", fullmatch=True),
        "description": texts,
        "quantity": st.integers(-100_000, 100_000),
        "at": st.datetimes(timezones=st.just(ZONE)).map(lambda at: at.replace(second=0, microsecond=0)),
        "price": st.decimals(-1000, 20_000, places=2),
        "customer": st.from_regex(r"[1-9][0-9]{4}", fullmatch=True),
        "country": st.sampled_from(["United Kingdom", "EIRE"]),
    }
)
NAMES = dict(zip(COLUMNS, HEADER.split(","), strict=True))


@given(st.lists(rows, max_size=8), st.permutations(COLUMNS), st.sampled_from(",;\t"))
def test_what_was_written_is_read(written: list[dict[str, object]], order: list[str], delimiter: str) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(NAMES[column] for column in order)
    for row in written:
        writer.writerow(str(row[column])[:16] if column == "at" else row[column] for column in order)

    retail = parse(out.getvalue().encode())

    assert retail.broken == []
    assert [
        {
            "invoice": line.invoice,
            "code": line.code,
            "description": line.description,
            "quantity": line.quantity,
            "at": line.at,
            "price": line.unit_price,
            "customer": line.customer,
            "country": line.country,
        }
        for line in retail.lines
    ] == written


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), max_size=12))
def test_every_line_is_read_or_named(lines: list[str]) -> None:
    """Lines without line breaks in quotes: each that is not blank is accounted for, under its own number."""
    lines = [line.replace('"', "") for line in lines]
    retail = parse("\n".join([HEADER, *lines]).encode())

    told = {line.number for line in retail.lines} | {line.number for line in retail.broken}
    assert told == {number for number, line in enumerate(lines, start=2) if line.strip()}
