"""Allocation gives as much as there is and never more, from the locations that its rule names."""

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.inventory.allocation import Taken, allocate
from shared.inventory.events import AllocationRule

SKUS = ("cup", "mug", "tea")
PLACES = {"a": 2, "b": 1, "c": 2, "d": 0}
RULES: tuple[AllocationRule, ...] = ("priority", "most_stock", "fewest_splits")


class Shelf(NamedTuple):
    sku: str
    location: str
    priority: int
    available: int
    promisable: int


def shelf(sku: str, location: str, available: int, beyond: int = 0) -> Shelf:
    return Shelf(sku, location, PLACES[location], available, available + beyond)


rules = st.sampled_from(RULES)
demands = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 12), max_size=3)
stocks = st.dictionaries(
    st.tuples(st.sampled_from(SKUS), st.sampled_from(sorted(PLACES))), st.tuples(st.integers(0, 10), st.integers(0, 3))
).map(lambda stock: [shelf(sku, place, *offered) for (sku, place), offered in stock.items()])


def rank(place: str) -> tuple[int, str]:
    return PLACES[place], place


@given(demands, stocks, rules)
def test_all_that_can_be_had_and_what_is_missing(
    demand: dict[str, int], shelves: list[Shelf], rule: AllocationRule
) -> None:
    taken, missing = allocate(demand, shelves, rule)
    given: Counter[str] = Counter()
    for one in taken:
        given[one.sku] += one.quantity
    can_be_had = {
        sku: min(quantity, sum(s.promisable for s in shelves if s.sku == sku)) for sku, quantity in demand.items()
    }

    assert given == Counter({sku: quantity for sku, quantity in can_be_had.items() if quantity})
    assert missing == {sku: demand[sku] - had for sku, had in can_be_had.items() if demand[sku] > had}
    assert [one.sku for one in taken] == sorted((one.sku for one in taken), key=list(demand).index)


@given(demands, stocks, rules)
def test_no_location_gives_more_than_it_may_or_twice(
    demand: dict[str, int], shelves: list[Shelf], rule: AllocationRule
) -> None:
    taken, _ = allocate(demand, shelves, rule)
    at = {(one.sku, one.location): one for one in shelves}
    assert len({(one.sku, one.location) for one in taken}) == len(taken)
    for one in taken:
        offered = at[one.sku, one.location]
        assert 0 < one.quantity <= offered.promisable
        assert one.backordered == max(0, one.quantity - offered.available)


@given(demands, stocks, rules)
def test_nothing_is_promised_beyond_what_is_there_as_long_as_there_is_some(
    demand: dict[str, int], shelves: list[Shelf], rule: AllocationRule
) -> None:
    taken, _ = allocate(demand, shelves, rule)
    for sku in demand:
        if any(one.backordered for one in taken if one.sku == sku):
            there = sum(one.available for one in shelves if one.sku == sku)
            assert sum(one.quantity - one.backordered for one in taken if one.sku == sku) == there


@given(demands, stocks)
def test_the_first_location_that_has_everything_gives_it(demand: dict[str, int], shelves: list[Shelf]) -> None:
    able = [
        {one.location for one in shelves if one.sku == sku and one.available >= quantity}
        for sku, quantity in demand.items()
    ]
    if able and (whole := set.intersection(*able)):
        taken, _ = allocate(demand, shelves, "fewest_splits")
        assert {one.location for one in taken} == {min(whole, key=rank)}


@given(demands, stocks)
def test_by_priority_a_location_gives_all_it_has_before_the_next(demand: dict[str, int], shelves: list[Shelf]) -> None:
    taken, _ = allocate(demand, shelves, "priority")
    for sku in demand:
        places = [one.location for one in taken if one.sku == sku and not one.backordered]
        offering = sorted((one.location for one in shelves if one.sku == sku and one.available), key=rank)
        assert set(places) <= set(offering)
        if not any(one.backordered for one in taken if one.sku == sku):
            assert places == offering[: len(places)]


SHELVES = [
    shelf("mug", "d", 2), shelf("mug", "b", 5), shelf("mug", "a", 9), shelf("tea", "d", 4), shelf("tea", "c", 4),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "mugs"),
    [
        ("priority", [("d", 2), ("b", 5)]),
        ("most_stock", [("a", 7)]),
        ("fewest_splits", [("a", 7)]),
    ],
)
def test_the_rules_differ(rule: AllocationRule, mugs: list[tuple[str, int]]) -> None:
    taken, missing = allocate({"mug": 7}, SHELVES, rule)

    assert ([(one.location, one.quantity) for one in taken], missing) == (mugs, {})


def test_what_must_be_split_comes_from_where_most_skus_are_complete() -> None:
    shelves = [shelf("mug", "d", 2), shelf("tea", "b", 5), shelf("cup", "b", 5), shelf("mug", "a", 5)]
    taken, _ = allocate({"mug": 3, "tea": 1, "cup": 1}, shelves, "fewest_splits")

    assert taken == [Taken("mug", "a", 3), Taken("tea", "b", 1), Taken("cup", "b", 1)]


def test_one_location_for_the_whole_order_is_better_than_two_of_higher_priority() -> None:
    shelves = [shelf("mug", "d", 5), shelf("tea", "b", 5), shelf("mug", "c", 5), shelf("tea", "c", 5)]
    taken, _ = allocate({"mug": 1, "tea": 1}, shelves, "fewest_splits")

    assert taken == [Taken("mug", "c", 1), Taken("tea", "c", 1)]


def test_what_is_not_there_is_promised_where_it_may_be() -> None:
    taken, missing = allocate({"mug": 9}, [shelf("mug", "d", 2), shelf("mug", "a", 3, beyond=2)], "priority")

    assert taken == [Taken("mug", "d", 2), Taken("mug", "a", 5, backordered=2)]
    assert missing == {"mug": 2}
