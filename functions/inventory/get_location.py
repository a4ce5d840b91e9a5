"""Show a location (INV-012)."""

from shared.inventory.levels import LocationId
from shared.inventory.locations import Location, find_location
from shared.inventory.tables import locations
from shared.runtime import Request, Work, http


class GetLocation(Request):
    location: LocationId


@http("GET /v1/locations/{location}", role="admin", reads=[locations])
async def get_location(request: GetLocation, work: Work) -> Location:
    """Raises UnknownLocation."""
    return await find_location(work, request.location)
