"""Allocation gives all or nothing, never more than there is, by priority, and splits only what must be split."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.inventory.allocation import Level, Shortage, Taken, allocate

SKUS = ("cup", "mug", "tea")
PLACES = {"a": 2, "b": 1, "c": 2, "d": 0}

demands = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 12), max_size=3)
stocks = st.dictionaries(st.tuples(st.sampled_from(SKUS), st.sampled_from(sorted(PLACES))), st.integers(-3, 10)).map(
    lambda stock: [Level(sku, place, PLACES[place], available) for (sku, place), available in stock.items()]
)


def rank(place: str) -> tuple[int, str]:
    return PLACES[place], place


@given(demands, stocks)
def test_all_or_what_is_missing(demand: dict[str, int], levels: list[Level]) -> None:
    there: Counter[str] = Counter()
    for level in levels:
        there[level.sku] += max(0, level.available)
    missing = {sku: quantity - there[sku] for sku, quantity in demand.items() if quantity > there[sku]}

    allocated = allocate(demand, levels)

    if missing:
        assert allocated == Shortage(missing)
    else:
        assert not isinstance(allocated, Shortage)
        given: Counter[str] = Counter()
        for taken in allocated:
            given[taken.sku] += taken.quantity
        assert given == demand


@given(demands, stocks)
def test_no_location_gives_more_than_it_has_or_twice(demand: dict[str, int], levels: list[Level]) -> None:
    allocated = allocate(demand, levels)
    if isinstance(allocated, Shortage):
        return
    available = {(level.sku, level.location): level.available for level in levels}
    assert all(0 < taken.quantity <= available[taken.sku, taken.location] for taken in allocated)
    assert len({(taken.sku, taken.location) for taken in allocated}) == len(allocated)


@given(demands, stocks)
def test_split_only_when_needed_and_by_priority(demand: dict[str, int], levels: list[Level]) -> None:
    allocated = allocate(demand, levels)
    if isinstance(allocated, Shortage):
        return
    able = {
        sku: {level.location for level in levels if level.sku == sku and level.available >= quantity}
        for sku, quantity in demand.items()
    }
    places = {sku: [taken.location for taken in allocated if taken.sku == sku] for sku in demand}
    if demand and (whole := set.intersection(*able.values())):
        assert set().union(*places.values()) == {min(whole, key=rank)}
        return
    for sku in demand:
        if able[sku]:
            assert places[sku] == [min(able[sku], key=rank)]
        else:
            offers = sorted((level.location for level in levels if level.sku == sku and level.available > 0), key=rank)
            assert places[sku] == offers[: len(places[sku])]


def test_one_location_for_the_whole_order_is_better_than_two_of_higher_priority() -> None:
    levels = [Level("mug", "a", 1, 5), Level("tea", "b", 2, 5), Level("mug", "c", 3, 5), Level("tea", "c", 3, 5)]

    assert allocate({"mug": 1, "tea": 1}, levels) == [Taken("mug", "c", 1), Taken("tea", "c", 1)]
