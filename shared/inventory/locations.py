"""A location as its administrators see it, and what it takes to change one."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.inventory.problems import UnknownLocation
from shared.runtime import View, Work
from shared.vocabulary import Address, Country

Priority = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
ShipsTo = Annotated[list[Country], Field(min_length=1, max_length=250)]


class Location(View):
    """A location that is not open gives no stock and takes none. A lower `priority` is served first.

    `ships_to` are the countries whose orders it serves: all, without it (null).
    """

    id: str
    name: str
    priority: int
    open: bool
    address: Address | None
    ships_to: list[str] | None
    version: int


COLUMNS = "id, name, priority, closed_at is null as open, address, ships_to, version"

FIND = text(f"select {COLUMNS} from inventory.locations where id = :id")  # noqa: S608 - of constants
FIND_TO_CHANGE = text(f"{FIND.text} for no key update")


async def find_location(work: Work, id: str) -> Location:
    """Raises UnknownLocation."""
    return _found(id, await work.db.one(FIND, id=id))


async def find_location_to_change(work: Work, id: str) -> Location:
    """The location, its row locked. Raises UnknownLocation."""
    return _found(id, await work.db.one(FIND_TO_CHANGE, id=id))


def _found(id: str, row: object) -> Location:
    if row is None:
        raise UnknownLocation(location=id)
    return Location.model_validate(row, from_attributes=True)
