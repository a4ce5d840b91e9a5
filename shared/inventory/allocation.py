"""Where the stock for an order comes from: all of it, from as few splits as the rule knows, or none of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Level(NamedTuple):
    """What one location could give of one SKU. A lower `priority` is served first; equal ones by the location's id."""

    sku: str
    location: str
    priority: int
    available: int


class Taken(NamedTuple):
    sku: str
    location: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is missing, by SKU."""

    missing: dict[str, int]


def allocate(demand: Mapping[str, int], levels: Iterable[Level]) -> list[Taken] | Shortage:
    """Every SKU's demand in full, in the order of `demand`, or what is missing.

    The first location by priority that has the whole order gives it. Otherwise each SKU comes from the first location
    that has all of it; only a SKU that no location has all of is split, by priority.
    """
    offers: dict[str, list[Level]] = {sku: [] for sku in demand}
    for level in sorted(levels, key=lambda level: (level.priority, level.location)):
        if level.available > 0 and level.sku in offers:
            offers[level.sku].append(level)
    missing = {
        sku: short
        for sku, quantity in demand.items()
        if (short := quantity - sum(level.available for level in offers[sku])) > 0
    }
    if missing:
        return Shortage(missing)
    if whole := _one_location(demand, offers):
        return [Taken(sku, whole, quantity) for sku, quantity in demand.items()]
    return [taken for sku, quantity in demand.items() for taken in _sourced(quantity, offers[sku])]


def _one_location(demand: Mapping[str, int], offers: Mapping[str, list[Level]]) -> str | None:
    candidates: dict[str, None] | None = None
    for sku, quantity in demand.items():
        able = {level.location: None for level in offers[sku] if level.available >= quantity}
        candidates = able if candidates is None else {location: None for location in candidates if location in able}
        if not candidates:
            return None
    return next(iter(candidates), None) if candidates else None


def _sourced(quantity: int, offers: list[Level]) -> list[Taken]:
    for level in offers:
        if level.available >= quantity:
            return [Taken(level.sku, level.location, quantity)]
    taken = []
    for level in offers:
        part = min(level.available, quantity)
        taken.append(Taken(level.sku, level.location, part))
        quantity -= part
        if quantity == 0:
            break
    return taken
