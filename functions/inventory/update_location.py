"""Change a location by JSON merge patch, on the version that was read (INV-012; RFC 7396, RFC 9110 section 13.1.1)."""

from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import text

from shared.inventory.levels import LocationId
from shared.inventory.locations import Location, Priority, ShipsTo, find_location_to_change
from shared.inventory.tables import locations
from shared.runtime import Request, Work, http
from shared.runtime.models import faults_in
from shared.runtime.problems import StaleVersion, ValidationFailed
from shared.vocabulary import Address, Country, Line

KEEP = text("""
update inventory.locations
set name = :name, priority = :priority, address = cast(:address as jsonb), ships_to = :ships_to, version = :version
where id = :id
""")


class AddressPatch(BaseModel):
    """What is left out stays as it is; a null is removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: Annotated[list[Line], Field(min_length=1, max_length=5)] | None = None
    city: Line | None = None
    region: Line | None = None
    postcode: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    country: Country | None = None


class UpdateLocation(Request):
    """Fields that are left out stay as they are; a null removes `address` or `ships_to`."""

    location: LocationId
    expected_version: int
    name: Line = ""
    priority: Priority = 0
    address: AddressPatch | None = None
    ships_to: ShipsTo | None = None


@http("PATCH /v1/locations/{location}", role="admin", if_match=True, writes=[locations])
async def update_location(request: UpdateLocation, work: Work) -> Location:
    """For orders that are held from now on. A patch that changes nothing makes no new version.

    Raises UnknownLocation, StaleVersion.
    """
    before = await find_location_to_change(work, request.location)
    if before.version != request.expected_version:
        raise StaleVersion(current_version=before.version)
    said: dict[str, Any] = request.model_dump(include={"name", "priority", "ships_to"}, exclude_unset=True)
    if request.address is not None:
        said["address"] = _merged(before.address, request.address)
    elif "address" in request.model_fields_set:
        said["address"] = None
    after = before.model_copy(update=said)
    if after == before:
        return before
    after = after.model_copy(update={"version": before.version + 1})
    kept = after.model_dump(exclude={"open", "address"})
    address = None if after.address is None else orjson.dumps(after.address.model_dump()).decode()
    await work.db.send(KEEP, **kept, address=address)
    return after


def _merged(before: Address | None, patch: AddressPatch) -> Address:
    """Raises ValidationFailed where what comes of it is no whole address."""
    fields = (before.model_dump() if before else {}) | patch.model_dump(exclude_unset=True)
    try:
        return Address.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        errors = [{"pointer": f"/address/{fault['loc'][0]}", "detail": fault["msg"]} for fault in faults_in(error)]
        raise ValidationFailed(errors=errors) from None
