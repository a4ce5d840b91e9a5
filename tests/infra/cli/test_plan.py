"""What becomes of every line, and what a shop must have for it."""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.assortment import assort
from infra.cli.plan import in_pennies, is_goods, plan
from infra.cli.retail import ZONE, Line, Retail, minor, read
from tests.infra.cli.test_retail import SAMPLE


def test_every_line_of_the_sample_has_the_fate_it_should() -> None:
    planned = plan(read(SAMPLE))

    assert {sale.reference: (sale.customer, [line.number for line in sale.lines]) for sale in planned.sales} == {
        "936365": ("17850", [2, 3, 4, 5]),
        "936370": ("12583", [6, 7]),
        "936544": (None, [8, 9, 10]),
        "940001": ("14096", [18, 19]),
        "940002": ("14096", [20]),
        "940002/2": ("14096", [21]),
        "940004": ("14096", [27]),
        "940007": ("14911", [30]),
        "A963185": (None, [22]),
    }
    assert [back.line.number for back in planned.returns] == [14, 16, 17, 31]
    assert [(booked.line.number, booked.delta, booked.note) for booked in planned.adjustments] == [
        (11, 56, "found: Found (invoice 936414)"),
        (12, -10, "written off: damages (invoice 936589)"),
    ]
    assert {entry.line: entry.reason.split(":")[0] for entry in planned.not_taken} == {
        13: "nothing to adjust, as no stock is kept",
        15: "a guest's cancellation",
        23: "a price below zero",
        24: "cannot be read",
        25: "cannot be read",
        26: "cannot be read",
        28: "a quantity of zero",
        29: "cannot be read",
    }


def test_the_sample_s_assortment() -> None:
    retail = read(SAMPLE)
    assortment = assort(retail.lines, plan(retail))
    products = {product.sku: product for product in assortment.products}

    assert assortment.merged == {"85123A": ["85123A", "85123a"]}
    assert products["85123A"].price_minor == 275
    assert products["22139"].title == "RETROSPOT TEA SET, CERAMIC 11 PC"
    assert products["21774"].title == "21774"
    assert products["PADS"].price_minor == 0
    assert (products["22197"].title, products["22197"].price_minor) == ("SMALL POPCORN HOLDER", 85)
    assert [product.sku for product in assortment.products if not product.tracked] == ["B", "D", "POST"]
    assert {customer.id: customer.country for customer in assortment.customers}["14911"] == "EIRE"
    assert assortment.opening_stock["22139"] == 3
    assert assortment.opening_stock["21777"] == 10
    assert "POST" not in assortment.opening_stock


@pytest.mark.parametrize("sku", ["POST", "DOT", "C2", "M", "D", "S", "B", "AMAZONFEE", "BANK CHARGES", "CRUK"])
def test_no_goods(sku: str) -> None:
    assert not is_goods(sku)


@pytest.mark.parametrize("sku", ["85123A", "DCGS0003", "DCGSSBOY", "PADS", "GIFT_0001_20"])
def test_goods(sku: str) -> None:
    assert is_goods(sku)


@given(st.integers(1, 100_000), st.decimals(0, 20_000, places=4))
def test_fractions_of_a_penny_keep_quantity_and_amount(quantity: int, unit_price: Decimal) -> None:
    parts = in_pennies(quantity, unit_price)

    assert sum(count for count, _ in parts) == quantity
    assert sum(count * price for count, price in parts) == minor(unit_price * quantity)
    assert 1 <= len(parts) <= 2
    assert max(price for _, price in parts) - min(price for _, price in parts) <= 1


@given(st.integers(1, 100_000), st.decimals(0, 20_000, places=2))
def test_whole_pennies_stay_one_line(quantity: int, unit_price: Decimal) -> None:
    assert in_pennies(quantity, unit_price) == [(quantity, minor(unit_price))]


DAY = datetime(2010, 12, 30, tzinfo=ZONE)
tradings = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", "C4", "C5", "A6"]),
        st.sampled_from(["10A", "10a", "20", "POST", "M", "?", "ODD_SKU!"]),
        st.integers(-3, 3) | st.just(2_000_000),
        st.integers(0, 3).map(lambda days: DAY + timedelta(days=days)),
        st.sampled_from([Decimal(0), Decimal("1.25"), Decimal("0.005"), Decimal(-2)]),
        st.sampled_from([None, "17850", "12583"]),
    ),
    max_size=25,
).map(
    lambda told: [
        Line(number, invoice, number, code, "", quantity, at, price, customer, "EIRE")
        for number, (invoice, code, quantity, at, price, customer) in enumerate(told, start=2)
    ]
)


@given(tradings)
def test_every_line_has_one_fate_and_sales_keep_their_money(lines: list[Line]) -> None:
    retail = Retail(lines, [], "digest")
    planned = plan(retail)

    fates = Counter(line.number for sale in planned.sales for line in sale.lines)
    fates.update(back.line.number for back in planned.returns)
    fates.update(booked.line.number for booked in planned.adjustments)
    fates.update(entry.line for entry in planned.not_taken)
    assert fates == Counter(line.number for line in lines)

    money: Counter[str] = Counter()
    for sale in planned.sales:
        assert {line.month for line in sale.lines} == {sale.month}
        assert {line.customer for line in sale.lines} == {sale.customer}
        money[sale.month] += sale.amount_minor
    missing = {entry.line for entry in planned.not_taken}
    for line in lines:
        if line.sells and line.number in missing:
            money[line.month] += line.amount_minor
    assert +money == +Counter(retail.sales_minor_by_month)
    assert len({sale.reference for sale in planned.sales}) == len(planned.sales)


@given(tradings, st.randoms())
def test_opening_stock_suffices_in_any_order(lines: list[Line], chance: object) -> None:
    retail = Retail(lines, [], "digest")
    planned = plan(retail)
    shelf = Counter(assort(lines, planned).opening_stock)
    out = [(line.sku, line.quantity) for sale in planned.sales for line in sale.lines if is_goods(line.sku)]
    out += [(booked.line.sku, -booked.delta) for booked in planned.adjustments if booked.delta < 0]
    chance.shuffle(out)  # type: ignore[attr-defined]

    for sku, quantity in out:
        shelf[sku] -= quantity
        assert shelf[sku] >= 0
