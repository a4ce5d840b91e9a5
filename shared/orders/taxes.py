"""Tax rates as administrators see them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.runtime import View
from shared.vocabulary import Line

TaxClass = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", examples=["standard"])]
"""What products and shipping methods name, such as `standard` or `reduced`."""

RatePpm = Annotated[int, Field(strict=True, ge=0, le=1_000_000, examples=[200_000])]
"""Parts per million: 200000 is 20 %."""

Region = Annotated[Line, AfterValidator(lambda region: region.strip().upper())]
"""A part of a country as its addresses name it; upper and lower case are the same."""


class TaxRate(View):
    """Without a `region` it is for all of the country's that have none of their own."""

    country: str
    region: str | None
    tax_class: str
    rate_ppm: int
    name: str


COLUMNS = "country, nullif(region, '') as region, tax_class, rate_ppm, name"
