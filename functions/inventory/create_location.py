"""Open a location that stock is kept at (INV-012)."""

from sqlalchemy.dialects.postgresql import insert

from shared.inventory.levels import LocationId
from shared.inventory.locations import Location, Priority, ShipsTo
from shared.inventory.problems import LocationExists
from shared.inventory.tables import locations
from shared.runtime import Request, Work, http
from shared.vocabulary import Address, Line

KEEP = insert(locations).on_conflict_do_nothing().returning(locations.c.id)


class CreateLocation(Request):
    """A lower `priority` is served first. Without `ships_to` it serves all countries."""

    id: LocationId
    name: Line
    priority: Priority = 100
    address: Address | None = None
    ships_to: ShipsTo | None = None


@http("POST /v1/locations", status=201, role="admin", writes=[locations])
async def create_location(request: CreateLocation, work: Work) -> Location:
    """Raises LocationExists."""
    values = request.model_dump()
    if await work.db.value(KEEP, **values, created_at=work.now, closed_at=None, version=1) is None:
        raise LocationExists(id=request.id)
    return Location(**values, open=True, version=1)
