"""Open a location that was closed (INV-012)."""

from shared.inventory.closing import AT_ONCE, OPEN, WITHDRAWN, take_up
from shared.inventory.items import lock_locations
from shared.inventory.levels import LocationId
from shared.inventory.locations import find_location
from shared.inventory.status import STATUS_EVENTS, tell
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Request, View, Work, http


class OpenLocation(Request):
    location: LocationId


class Opening(View):
    """As long as any SKUs are `left`, which the location does not give yet, call again to go on with them."""

    location: str
    left: int


@http(
    "POST /v1/locations/{location}/opening",
    role="admin",
    reads=[holds, hold_lines],
    writes=[locations, items, stock],
    emits=STATUS_EVENTS,
)
async def open_location(request: OpenLocation, work: Work) -> Opening:
    """At most 2,000 SKUs by one call. It also takes back a closure that was not ended. Raises UnknownLocation."""
    location = request.location
    await lock_locations(work, [location], alone=location)
    await find_location(work, location)
    await work.db.send(OPEN, location=location)
    rows = await work.db.all(WITHDRAWN, location=location, count=AT_ONCE)
    await tell(work, (await take_up(work, location, rows)).values())
    return Opening(location=location, left=rows[0].total - len(rows) if rows else 0)
