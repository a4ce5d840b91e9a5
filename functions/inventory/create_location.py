"""Open a location that stock is kept at."""

from typing import Annotated

from pydantic import Field
from sqlalchemy.dialects.postgresql import insert

from shared.inventory.levels import LocationId
from shared.inventory.locations import Location
from shared.inventory.problems import LocationExists
from shared.inventory.tables import locations
from shared.runtime import Request, Work, http
from shared.vocabulary import Line

KEEP = insert(locations).on_conflict_do_nothing().returning(locations.c.id)


class CreateLocation(Request):
    """Of several locations that have what is wanted, the one with the lowest `priority` gives it."""

    id: LocationId
    name: Line
    priority: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 100


@http("POST /v1/locations", status=201, role="admin", writes=[locations])
async def create_location(request: CreateLocation, work: Work) -> Location:
    """Raises LocationExists."""
    values = request.model_dump()
    if await work.db.value(KEEP, **values, created_at=work.now, closed_at=None) is None:
        raise LocationExists(id=request.id)
    return Location(**values, open=True)
