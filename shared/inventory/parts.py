"""Which open lines of a hold a command means that names a part of it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.inventory.events import AllocatedLine, PartLine
from shared.inventory.holds import Line


class Part(NamedTuple):
    """Lines whose `open` is what is meant of them; `missing`, by SKU, is asked for and not open."""

    lines: list[Line]
    missing: dict[str, int]

    @property
    def allocated(self) -> tuple[AllocatedLine, ...]:
        return tuple(AllocatedLine(sku=line.sku, location=line.location, quantity=line.open) for line in self.lines)

    def rest(self, lines: Iterable[Line]) -> list[Line]:
        """What of a hold's lines is open without this part."""
        meant = {(line.sku, line.location): line.open for line in self.lines}
        return [line._replace(open=line.open - meant.get((line.sku, line.location), 0)) for line in lines]


def whole(lines: Iterable[Line]) -> Part:
    return Part([line for line in lines if line.open], {})


def part_of(lines: Sequence[Line], wanted: Iterable[PartLine]) -> Part:
    """What names a location comes first: what does not is taken from what is left, by location."""
    left = {(line.sku, line.location): line for line in lines if line.open}
    meant: dict[tuple[str, str], int] = {}
    missing: dict[str, int] = {}
    for want in sorted(wanted, key=lambda want: want.location is None):
        quantity = want.quantity
        for (sku, location), line in left.items():
            if sku == want.sku and want.location in (None, location):
                part = min(quantity, line.open - meant.get((sku, location), 0))
                if part:
                    meant[sku, location] = meant.get((sku, location), 0) + part
                    quantity -= part
        if quantity:
            missing[want.sku] = missing.get(want.sku, 0) + quantity
    return Part([left[key]._replace(open=quantity) for key, quantity in meant.items()], missing)
