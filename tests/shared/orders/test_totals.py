"""Amounts are rounded half up, and nothing is lost or made up when they are shared out."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.orders.pricing import Item, Pricing, Wanted
from shared.orders.totals import half_up, share, spread, tax_of

AMOUNTS = st.integers(0, 10**12)
RATES = st.integers(0, 1_000_000)


@given(AMOUNTS, st.integers(1, 10**7))
def test_half_up_is_the_nearest_and_a_half_goes_up(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert -Fraction(1, 2) < half_up(numerator, denominator) - exact <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("amount", "rate", "included", "tax"),
    [(1200, 200_000, True, 200), (1000, 200_000, False, 200), (5, 100_000, False, 1), (4, 100_000, False, 0)],
)
def test_tax_is_in_the_amount_or_comes_on_top(amount: int, rate: int, included: bool, tax: int) -> None:
    assert tax_of(amount, rate, included=included) == tax


@given(AMOUNTS, RATES)
def test_tax_is_never_more_than_what_it_is_in(amount: int, rate: int) -> None:
    assert 0 <= tax_of(amount, rate, included=True) <= amount
    assert 0 <= share(amount, rate) <= amount


@given(st.lists(AMOUNTS, min_size=1, max_size=50).filter(any), st.data())
def test_shares_sum_to_the_amount_and_are_fair(weights: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    shares = spread(amount, weights)
    assert sum(shares) == amount
    for part, weight in zip(shares, weights, strict=True):
        assert 0 <= part <= weight
        assert abs(part - Fraction(amount * weight, sum(weights))) < 1


def test_of_equal_remainders_the_first_is_served() -> None:
    assert spread(100, [1, 1, 1]) == [34, 33, 33]
    assert spread(5, [0, 0]) == [0, 0]


LINES = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, 10**6), st.sampled_from(["standard", "reduced"])),
    min_size=1,
    max_size=12,
)
DISCOUNTS = st.lists(
    st.tuples(
        st.sampled_from(["order", "line", "shipping"]),
        st.one_of(st.tuples(RATES.filter(bool), st.none()), st.tuples(st.none(), st.integers(1, 10**7))),
    ),
    max_size=4,
)


def _discount(n: int, scope: str, percent_ppm: int | None, amount_minor: int | None) -> dict[str, Any]:
    said: dict[str, Any] = {"code": f"D{n}", "scope": scope, "percent_ppm": percent_ppm, "amount_minor": amount_minor}
    return said | {
        "currency": "GBP",
        "skus": [],
        "category_ids": [],
        "minimum_minor": None,
        "early": False,
        "late": False,
        "most_uses": None,
        "uses": 0,
        "most_per_customer": None,
        "customer_uses": 0,
        "combines": True,
    }


@settings(max_examples=300)
@given(LINES, DISCOUNTS, RATES, RATES, st.booleans(), st.integers(0, 10**5))
def test_the_total_is_always_the_lines_and_the_shipping(
    lines: list[tuple[int, int, str]],
    off: list[tuple[str, tuple[int | None, int | None]]],
    standard: int,
    reduced: int,
    included: bool,
    price: int,
) -> None:
    post = {"code": "post", "name": "Post", "basis": "value", "currency": "GBP", "bands": [{"price_minor": price}]}
    terms = SimpleNamespace(
        prices_include_tax=included,
        capture="now",
        rates={"standard": standard, "reduced": reduced},
        methods=[post | {"tax_class": "standard"}],
        discounts=[_discount(n, scope, *value) for n, (scope, value) in enumerate(off)],
    )
    goods = {
        f"S{n}": SimpleNamespace(
            sku=f"S{n}",
            price_minor=unit_price,
            currency="GBP",
            product_id=UUID(int=n),
            title="A thing",
            status="published",
            tax_class=tax_class,
            category_id=None,
            ancestors=None,
            weight_g=None,
        )
        for n, (_, unit_price, tax_class) in enumerate(lines)
    }
    wanted = Wanted(
        items=[Item(f"S{n}", quantity) for n, (quantity, _, _) in enumerate(lines)],
        codes=[f"D{n}" for n in range(len(off))],
        method="post",
        country="GB",
    )
    totals = Pricing(wanted, goods, terms).totals()

    amounts = totals.amounts()
    assert amounts["total_minor"] == sum(line.total_minor for line in totals.lines) + amounts["shipping_minor"]
    assert amounts["tax_minor"] == sum(line.tax_minor for line in totals.lines) + amounts["shipping_tax_minor"]
    on_goods = sum(totals.discounts[f"D{n}"] for n, (scope, _) in enumerate(off) if scope != "shipping")
    assert amounts["discount_minor"] == on_goods
    assert 0 <= amounts["shipping_tax_minor"] <= amounts["shipping_minor"]
    for line in totals.lines:
        paid = line.quantity * line.unit_price_minor - line.discount_minor
        assert paid >= 0
        assert line.total_minor == (paid if included else paid + line.tax_minor)
