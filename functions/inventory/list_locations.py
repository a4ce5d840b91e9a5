"""List the locations by id, in keyset pages."""

from sqlalchemy import bindparam, select

from shared.inventory.locations import Location
from shared.inventory.tables import locations
from shared.runtime import Page, Paged, Work, http, key_of

PAGE = (
    select(locations.c.id, locations.c.name, locations.c.priority, locations.c.closed_at.is_(None).label("open"))
    .where(locations.c.id > bindparam("after"))
    .order_by(locations.c.id)
    .limit(bindparam("count"))
)


class ListLocations(Paged):
    pass


@http("GET /v1/locations", role="admin", reads=[locations])
async def list_locations(request: ListLocations, work: Work) -> Page[Location]:
    (after,) = key_of(request.cursor, str) or ("",)
    rows = await work.db.all(PAGE, after=after, count=request.limit + 1)
    shown = rows[: request.limit]
    items = [Location.model_validate(row, from_attributes=True) for row in shown]
    return Page(items, (shown[-1].id,) if len(rows) > request.limit else None)
