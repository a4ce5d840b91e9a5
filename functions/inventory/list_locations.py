"""List the locations by id, in keyset pages (INV-012)."""

from sqlalchemy import text

from shared.inventory.locations import COLUMNS, Location
from shared.inventory.tables import locations
from shared.runtime import Page, Paged, Work, http, key_of

PAGE = text(f"select {COLUMNS} from inventory.locations where id > :after order by id limit :count")  # noqa: S608


class ListLocations(Paged):
    pass


@http("GET /v1/locations", role="admin", reads=[locations])
async def list_locations(request: ListLocations, work: Work) -> Page[Location]:
    (after,) = key_of(request.cursor, str) or ("",)
    rows = await work.db.all(PAGE, after=after, count=request.limit + 1)
    shown = rows[: request.limit]
    items = [Location.model_validate(row, from_attributes=True) for row in shown]
    return Page(items, (shown[-1].id,) if len(rows) > request.limit else None)
