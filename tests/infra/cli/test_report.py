"""The report adds up, or says what does not."""

from infra.cli.plan import plan
from infra.cli.report import Books, Report, Tally, pounds
from infra.cli.retail import read
from tests.infra.cli.test_retail import SAMPLE


def replayed() -> Tally:
    """The sample as a shop takes it that refuses one order and refunds one line in part."""
    tally = Tally()
    planned = plan(read(SAMPLE))
    for entry in planned.not_taken:
        tally.missing(entry)
    for sale in planned.sales:
        if sale.reference == "936370":
            tally.refused(sale.lines, "the order was rejected: no stock")
        else:
            tally.sold(sale, sale.amount_minor)
    for booked in planned.adjustments:
        tally.booked([booked.line])
    for back in planned.returns:
        tally.refunded(back.line, -back.line.amount_minor)
        tally.booked([back.line])
    return tally


def test_the_object_for_programs() -> None:
    told = Report(replayed(), read(SAMPLE), violations=0).as_json()

    assert told["taken"] == {
        "invoices": 13,
        "lines": 20,
        "sales_minor_by_month": {"2010-12": 4109, "2011-01": 1280, "2011-02": 52686396},
        "refunds_minor_by_month": {"2010-12": 765 + 11250 + 2750, "2011-02": 51579425},
    }
    assert told["invariants"] == {"violations": 0}
    assert told["not_taken"][0] == {
        "invoice": "936370",
        "line": 6,
        "amount_minor": 5400,
        "reason": "the order was rejected: no stock",
    }
    assert [entry["line"] for entry in told["not_taken"]] == [6, 7, 13, 15, 23, 24, 25, 26, 28, 29]


def test_what_adds_up_has_no_faults() -> None:
    tally = replayed()
    books = Books("Europe/London", dict(tally.sales), dict(tally.refunds))

    report = Report(tally, read(SAMPLE), 0, books)

    assert report.faults == []
    assert report.sales_not_taken == {"2010-12": 14400}
    text = [" ".join(line.split()) for line in report.as_text().splitlines()]
    assert "2010-12 185.09 41.09 144.00 147.65 41.09 147.65" in text
    assert "936370 6 54.00 the order was rejected: no stock" in text


def test_money_that_the_shop_counts_otherwise_is_a_fault() -> None:
    tally = replayed()
    tally.sales["2010-12"] -= 1

    faults = Report(tally, read(SAMPLE), 3).faults

    assert "2010-12: taken and not taken differ from the file's sales by -0.01" in faults
    assert any("the shop's books show sales of 0.00, less than 41.09" in fault for fault in faults)
    assert any("3 violation(s)" in fault for fault in faults)


def test_what_cannot_be_asked_is_a_fault_and_no_zero() -> None:
    report = Report(replayed(), read(SAMPLE), None, unasked=["the invariant checker could not be asked: gone"])

    assert report.as_json()["invariants"] == {"violations": None}
    assert "the invariant checker could not be asked: gone" in report.faults
    assert "Invariants: not checked." in report.as_text()


def test_a_line_without_a_fate_is_a_fault() -> None:
    report = Report(Tally(), read(SAMPLE), 0)

    assert report.faults[0] == "the file has 30 lines, but 0 are accounted for"


def test_pounds() -> None:
    assert [pounds(amount) for amount in (0, 5, -5, 123456789, -100)] == [
        "0.00",
        "0.05",
        "-0.05",
        "1,234,567.89",
        "-1.00",
    ]
