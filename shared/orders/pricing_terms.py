"""The shop's own terms, as administrators see them."""

from typing import Literal

from shared.runtime import View


class PricingTerms(View):
    """`home_country` is whose taxes count while nobody has said where an order goes: none, without it.

    `capture` is when the money of customers' orders is taken: once they are confirmed, or with each shipment.
    """

    prices_include_tax: bool
    home_country: str | None
    capture: Literal["now", "at_shipment"]
