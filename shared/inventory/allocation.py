"""Where the stock for an order comes from: by which rule, and what is missing.

A rule is in which order locations are asked. What cannot be had from what is there is promised beyond it, where the
location allows.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from shared.inventory.events import AllocationRule


class Offer(Protocol):
    """What one location could give of one SKU. `promisable` is `available` and what may be promised beyond it.

    A lower `priority` is served first; equal ones by the location's id.
    """

    @property
    def sku(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def available(self) -> int: ...
    @property
    def promisable(self) -> int: ...


class Taken(NamedTuple):
    """`backordered` of the quantity is not there."""

    sku: str
    location: str
    quantity: int
    backordered: int = 0


class Allocation(NamedTuple):
    """In the order of the demand; `missing` is by SKU, and empty when everything can be had."""

    taken: list[Taken]
    missing: dict[str, int]


def allocate(demand: Mapping[str, int], offers: Iterable[Offer], rule: AllocationRule = "fewest_splits") -> Allocation:
    """As much of the demand as there is.

    - priority: the first location gives what it has of each SKU, then the next.
    - most_stock: each SKU comes from the location that has most of it, then from the next.
    - fewest_splits: the first location that has everything gives it. Without one, the location that completes most
      SKUs gives what it has, then the one that completes most of the rest.
    """
    served = sorted((offer for offer in offers if offer.sku in demand), key=lambda o: (o.priority, o.location))
    by_sku: dict[str, list[Offer]] = {sku: [] for sku in demand}
    for offer in served:
        by_sku[offer.sku].append(offer)
    left = dict(demand)
    taken: dict[tuple[str, str], Taken] = {}
    for sku, location, quantity in _RULES[rule](demand, served, by_sku):
        taken[sku, location] = Taken(sku, location, quantity)
        left[sku] -= quantity
    for sku in [sku for sku, missing in left.items() if missing]:
        for offer in by_sku[sku]:
            beyond = min(left[sku], offer.promisable - offer.available)
            if beyond > 0:
                there = taken.get((sku, offer.location), Taken(sku, offer.location, 0))
                taken[sku, offer.location] = Taken(sku, offer.location, there.quantity + beyond, beyond)
                left[sku] -= beyond
    place = {sku: n for n, sku in enumerate(demand)}
    return Allocation(
        sorted(taken.values(), key=lambda one: place[one.sku]),
        {sku: missing for sku, missing in left.items() if missing},
    )


Given = list[tuple[str, str, int]]
By = dict[str, list[Offer]]


def _in_turn(demand: Mapping[str, int], offers: By) -> Given:
    given = []
    for sku, quantity in demand.items():
        left = quantity
        for offer in offers[sku]:
            if part := min(left, offer.available):
                given.append((sku, offer.location, part))
                left -= part
    return given


def _priority(demand: Mapping[str, int], _served: list[Offer], by_sku: By) -> Given:
    return _in_turn(demand, by_sku)


def _most_stock(demand: Mapping[str, int], _served: list[Offer], by_sku: By) -> Given:
    fullest = {sku: sorted(offers, key=lambda offer: -offer.available) for sku, offers in by_sku.items()}
    return _in_turn(demand, fullest)


def _fewest_splits(demand: Mapping[str, int], served: list[Offer], _by_sku: By) -> Given:
    has: dict[str, dict[str, int]] = {}
    for offer in served:
        if offer.available > 0:
            has.setdefault(offer.location, {})[offer.sku] = offer.available
    left = dict(demand)
    given: Given = []
    while left and has:

        def serves(location: str) -> tuple[int, int]:
            offered = has[location]
            parts = [(min(offered.get(sku, 0), quantity), quantity) for sku, quantity in left.items()]
            return sum(part == whole for part, whole in parts), sum(part for part, _ in parts)

        best = max(has, key=serves)  # of equals the first, by priority
        offered = has.pop(best)
        for sku, quantity in list(left.items()):
            part = min(quantity, offered.get(sku, 0))
            if part:
                given.append((sku, best, part))
                left[sku] -= part
                if not left[sku]:
                    del left[sku]
    return given


_RULES = {"priority": _priority, "most_stock": _most_stock, "fewest_splits": _fewest_splits}
