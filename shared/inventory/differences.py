"""What must hold between the counters of stock, the ledger, the holds and what was told, and why it does not.

Whatever the functions do keeps all of it, so that a difference is a defect, or the database was changed past them.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import Field

from shared.inventory.facts import Facts, facts_of
from shared.inventory.status import status_of
from shared.runtime import View, Work
from shared.runtime.pipeline import Row

What = Literal[
    "item", "level", "on_hand", "entries", "held", "committed", "shortfall", "ended_lines", "parts", "status"
]

CAUSES = {
    "counter_changed": "the counter was changed past the functions: no entry or hold of theirs says so",
    "entry_by_hand": "an entry was written to the ledger past the functions, which did not change the level",
    "entries_do_not_follow": "an entry does not lead on from the one before it: it was written, or taken out, by hand",
    "hold_ended_without_giving_back": "a hold has ended, or was deleted, and what was open of it was not given back",
    "line_closed_too_early": "more of a hold's line is marked as gone than is: its parts and the counters agree",
    "line_without_part": "more of a hold's line is gone than its parts say: it was taken off past the functions",
    "hold_moved_without_its_stock": "a hold's status was changed past the functions, between HELD and COMMITTED",
    "line_without_stock": "a hold has a line where there is no row of stock",
    "stock_without_item": "stock was written past the functions, which make the item first",
    "check_was_removed": "the row breaks its own CHECK, which was dropped or not validated",
    "follows_the_counters": "nobody has told what a wrong counter means for the status; it is right with the counter",
    "status_changed": "the status was changed past the functions, or what it depends on was: a policy or a location",
}
"""What has likely led to a difference."""


class Difference(View):
    """`found` is what the row says, `expected` what it must be, and `orders` are the first ten concerned.

    - item, level: the row is missing.
    - on_hand: is the sum of the ledger's entries. entries: each leads on from the one before; `found` do not.
    - held, committed: is what is open of the live holds' lines. shortfall: follows from the row's own counters.
    - ended_lines: what is open of ended holds. parts: what is gone of live holds' lines, and is in no part.
    - status: is what the counts say; without a location it is that of the SKU.
    """

    sku: str
    location: str | None
    what: What
    found: int | str
    expected: int | str
    cause: str
    means: str
    orders: list[UUID] = Field(default_factory=list)
    mended: bool = False

    @property
    def key(self) -> tuple[str, str | None, What]:
        return self.sku, self.location, self.what


class Look(NamedTuple):
    """What was found at some SKUs, and what differs in it."""

    levels: list[Facts]
    differences: list[Difference]


async def look(work: Work, skus: Sequence[str]) -> Look:
    levels, items = await facts_of(work, skus)
    found = [difference for level in levels for difference in _at_level(level)]
    wrong = {one.sku for one in found if one.what in ("on_hand", "held", "committed", "level")}
    return Look(levels, [*found, *(one for row in items for one in _of_item(row, row.sku in wrong))])


def _at_level(level: Facts) -> Iterator[Difference]:
    if level.on_hand != level.entered:
        yield _difference(level, "on_hand", level.on_hand, level.entered, _cause_of_level(level))
    if level.broken:
        yield _difference(level, "entries", level.broken, 0, "entries_do_not_follow")
    if level.stocked:
        yield from _of_promises(level)
        yield from _of_row(level)
    elif level.held_by_lines + level.committed_by_lines:
        yield _difference(level, "level", "missing", "there", "line_without_stock", level.orders)
    if level.ended:
        yield _difference(level, "ended_lines", level.ended, 0, "hold_ended_without_giving_back", level.ended_orders)
    if gone := sum(line.gone for line in level.beyond):
        cause = "line_closed_too_early" if level.closed_too_early else "line_without_part"
        yield _difference(level, "parts", gone, 0, cause, [line.order_id for line in level.beyond])


def _of_promises(level: Facts) -> Iterator[Difference]:
    cause = _cause_of_promises(level)
    orders = level.ended_orders if cause == "hold_ended_without_giving_back" else level.orders
    if level.held != level.held_by_holds:
        yield _difference(level, "held", level.held, level.held_by_holds, cause, orders)
    if level.committed != level.committed_by_holds:
        yield _difference(level, "committed", level.committed, level.committed_by_holds, cause, orders)


def _of_row(level: Facts) -> Iterator[Difference]:
    """What follows from the row's own counters, right or wrong."""
    if level.shortfall != level.shortfall_of_row:
        yield _difference(level, "shortfall", level.shortfall, level.shortfall_of_row, "check_was_removed")
    if level.low_at is None:
        return
    status = status_of(
        tracked=True, low_at=level.low_at, available=level.available, promisable=level.promisable, was=level.status
    )
    if level.status != status:
        counters = (level.on_hand, level.held, level.committed)
        right = counters == (level.entered, level.held_by_holds, level.committed_by_holds)
        yield _difference(level, "status", level.status, status, "status_changed" if right else "follows_the_counters")


def _of_item(item: Row, counters_wrong: bool) -> Iterator[Difference]:
    status = status_of(
        tracked=item.tracked, low_at=item.low_at, available=item.available, promisable=item.promisable, was=item.status
    )
    if item.unknown:
        yield _difference(item, "item", "missing", "there", "stock_without_item")
    elif item.status != status:
        cause = "follows_the_counters" if counters_wrong else "status_changed"
        yield _difference(item, "status", item.status, status, cause)


def _cause_of_level(level: Facts) -> str:
    """Functions write an entry and its moment into the level's row together."""
    if level.broken:
        return "entries_do_not_follow"
    return "entry_by_hand" if level.entered_alone else "counter_changed"


def _cause_of_promises(level: Facts) -> str:
    held, committed = level.held - level.held_by_holds, level.committed - level.committed_by_holds
    if level.ended and held + committed == level.ended:
        return "hold_ended_without_giving_back"
    if held and held == -committed:
        return "hold_moved_without_its_stock"
    return "counter_changed"


def _difference(
    of: Facts | Row, what: What, found: int | str, expected: int | str, cause: str, orders: Sequence[UUID] = ()
) -> Difference:
    return Difference(
        sku=of.sku,
        location=getattr(of, "location", None),
        what=what,
        found=found,
        expected=expected,
        cause=cause,
        means=CAUSES[cause],
        orders=list(orders)[:10],
    )
