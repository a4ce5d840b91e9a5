"""The field's own words as types, used by every domain: SKU, quantity, money."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Sku = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._\-/]{0,62}[A-Za-z0-9]$|^[A-Za-z0-9]$", examples=["MUG-BLUE"])
]
"""A stock keeping unit's code: 1 to 64 letters, digits, and ` ._-/` inside."""

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000, examples=[2])]
"""How many units: a whole number, at least one."""

Minor = Annotated[int, Field(strict=True, ge=0, le=10**13, examples=[1295])]
"""Money as a whole number of the currency's minor units: 1295 is GBP 12.95."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["GBP"])]
"""An ISO 4217 code."""


BOOKS_DAYS = 3650
"""How long the key of an entry in the books is kept: other systems may send an old one again."""


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_not_blank)]
"""A line of text: a title, a name, a reason."""


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment that the database can keep and every reader can read."""

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["GB"])]
"""An ISO 3166-1 alpha-2 code."""


class Address(BaseModel):
    """A postal address, as its country writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: Annotated[list[Line], Field(min_length=1, max_length=5)]
    city: Line
    region: Line | None = None
    postcode: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    country: Country
