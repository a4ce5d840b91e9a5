"""What customers, guests and askers for a quote say of an order."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.runtime import Request
from shared.vocabulary import Address, Country, Line, Quantity, Sku

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,39}$", examples=["SPRING-10"])]
"""A code of letters, digits, `-` and `_`."""


def _once_each(codes: list[str]) -> list[str]:
    told = [code.upper() for code in codes]
    if len(set(told)) < len(told):
        raise ValueError("must name each code once")
    return told


DiscountCodes = Annotated[list[Code], Field(max_length=10), AfterValidator(_once_each)]
"""Upper and lower case are the same; discounts are taken in this order, each off what the one before has left."""

Email = Annotated[
    str, Field(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$", examples=["ann@example.com"])
]

PaymentToken = Annotated[str, Field(min_length=1, max_length=200, examples=["tok_approve"])]


class WantedLine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    quantity: Quantity


WantedLines = Annotated[list[WantedLine], Field(min_length=1, max_length=2000)]


class QuoteOrder(Request):
    """`region` is the part of the country whose taxes count, as an address names it."""

    lines: WantedLines
    discount_codes: DiscountCodes = Field(default=[])
    shipping_method: Code | None = None
    country: Country | None = None
    region: Line | None = None


class PlaceOrder(Request):
    """Without a `billing_address` it is the shipping address.

    After a declined card the order is rejected, or waits for another card while its stock is held.
    """

    lines: WantedLines
    payment_token: PaymentToken
    email: Email | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    shipping_method: Code | None = None
    discount_codes: DiscountCodes = Field(default=[])
    on_decline: Literal["reject", "wait"] = "wait"


class PlaceGuestOrder(PlaceOrder):
    """A guest has no account: what is to be told, and where it is to go, must be said."""

    email: Email
    shipping_address: Address
