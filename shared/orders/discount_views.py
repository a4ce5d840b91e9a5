"""Discounts as administrators see and set them."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from shared.orders.discounts import Scope
from shared.orders.wanting import Code
from shared.runtime import Request, View
from shared.vocabulary import Currency, Line, Minor, Moment, Sku

Uses = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]

COLUMNS = """code, name, scope, percent_ppm, amount_minor, currency, skus, category_ids, minimum_minor, starts_at,
  ends_at, most_uses, most_per_customer, combines, enabled, uses"""


class SetDiscount(Request):
    """Either `percent_ppm` (150000 is 15 %) or `amount_minor` is taken off.

    - order: off all goods together, or those that it is for; shared out over their lines.
    - line: off each line that it is for; an amount off each unit.
    - shipping: off what shipping costs.

    It is for all goods, or for `skus` and for what is in `category_ids` or below. `minimum_minor` is what the goods
    must come to at their prices. It is to be had from `starts_at` until before `ends_at`; one that does not combine is
    had alone or not at all. `most_per_customer` counts the uses from when it is first set.
    """

    code: Code
    name: Line
    scope: Scope = "order"
    percent_ppm: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    amount_minor: Annotated[Minor, Field(ge=1)] | None = None
    currency: Currency | None = None
    skus: Annotated[list[Sku], Field(max_length=1000)] = Field(default=[])
    category_ids: Annotated[list[UUID], Field(max_length=100)] = Field(default=[])
    minimum_minor: Minor | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    most_uses: Uses | None = None
    most_per_customer: Uses | None = None
    combines: StrictBool = True
    enabled: StrictBool = True

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.percent_ppm is None) == (self.amount_minor is None):
            raise ValueError("either percent_ppm or amount_minor is needed, and not both")
        if self.currency is None and (self.amount_minor, self.minimum_minor) != (None, None):
            raise ValueError("an amount or a minimum needs its currency")
        if self.scope == "shipping" and (self.skus or self.category_ids):
            raise ValueError("a discount on shipping is not for some goods")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("it ends before it starts")
        return self


class DiscountView(View):
    """`uses` are those of orders that did not end without a sale."""

    code: str
    name: str
    scope: Scope
    percent_ppm: int | None
    amount_minor: int | None
    currency: str | None
    skus: list[str]
    category_ids: list[UUID]
    minimum_minor: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    most_uses: int | None
    most_per_customer: int | None
    combines: bool
    enabled: bool
    uses: int
