"""Close a location: it gives no stock any more, and takes none (INV-012)."""

from shared.inventory.closing import AT_ONCE, BOUND, CLOSE, GIVING, withdraw
from shared.inventory.items import Items, lock_locations
from shared.inventory.ledger import LEDGER_EVENTS, Change, book
from shared.inventory.levels import LocationId
from shared.inventory.locations import find_location
from shared.inventory.problems import LocationClosed, LocationInUse
from shared.inventory.status import tell
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock, transfer_lines, transfers
from shared.inventory.transfers import record_transfer
from shared.runtime import Request, View, Work, http
from shared.runtime.problems import ValidationFailed


class CloseLocation(Request):
    """With `move_to` what is on hand and not promised is moved to that location first."""

    location: LocationId
    move_to: LocationId | None = None


class Closure(View):
    """So many SKUs and units were moved by this call. As long as any SKUs are `left`, call again to go on with them."""

    location: str
    moved: int
    units: int
    left: int
    closed: bool


@http(
    "POST /v1/locations/{location}/closure",
    role="admin",
    reads=[holds, hold_lines],
    writes=[locations, items, stock, ledger, transfers, transfer_lines],
    emits=LEDGER_EVENTS,
)
async def close_location(request: CloseLocation, work: Work) -> Closure:
    """At most 2,000 SKUs by one call: the location gives less and less until it is closed.

    What is promised from there and on hand stays, and is shipped from there. Refused (LocationInUse) while goods are on
    their way there, while promises wait for goods, and, without `move_to`, while anything is on hand. Raises
    UnknownLocation, LocationClosed for `move_to`.
    """
    location, move_to = request.location, request.move_to
    if location == move_to:
        raise ValidationFailed(errors=[{"pointer": "/move_to", "detail": "This is the location itself."}])
    await lock_locations(work, [location, move_to or location], alone=location)
    place = await find_location(work, location)
    if move_to and not (await find_location(work, move_to)).open:
        raise LocationClosed(location=move_to)
    rows = await work.db.all(GIVING, location=location, moving=move_to is not None, count=AT_ONCE)
    stocked = await withdraw(work, location, rows, move_to)
    if place.open:
        await _check(work, location, move_to)
    changes = await _changes(work, stocked, location, move_to) if move_to else []
    if changes:
        await book(work, stocked, changes)
    await tell(work, stocked.values())
    left = rows[0].total - len(rows) if rows else 0
    if left == 0:
        await work.db.send(CLOSE, location=location, now=work.now)
    moved = [change.delta for change in changes if change.delta > 0]
    return Closure(location=location, moved=len(moved), units=sum(moved), left=left, closed=left == 0)


async def _check(work: Work, location: str, move_to: str | None) -> None:
    """What is on hand cannot grow any more, and nothing more of what is withdrawn be promised."""
    bound = await work.db.one(BOUND, location=location)
    assert bound is not None
    if bound.incoming or bound.waiting or (bound.on_hand and not move_to):
        raise LocationInUse(location=location, **bound._asdict())


async def _changes(work: Work, stocked: Items, location: str, move_to: str) -> list[Change]:
    """What leaves and what arrives, as a transfer that takes no time."""
    free: dict[str, int] = {}
    for item in stocked.values():
        level = item.at(location)
        assert level is not None
        if (units := level.on_hand - level.held - level.committed) > 0:
            free[item.sku] = units
    if not free:
        return []
    transfer = (await record_transfer(work, free, origin=location, destination=move_to, status="arrived")).id
    changes = []
    for sku, units in free.items():
        here, there = stocked[sku].at(location), stocked[sku].at(move_to)
        assert here is not None
        if there is None or not there.open:
            raise LocationClosed(location=move_to)
        changes.append(Change(here, -units, "transfer_out", transfer=transfer))
        changes.append(Change(there, units, "transfer_in", transfer=transfer))
    return changes
