"""A location as its administrators see it."""

from typing import Annotated

from pydantic import Field

from shared.runtime import View
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
