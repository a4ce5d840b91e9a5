"""What shipping costs by a method, or why the method cannot be had."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.vocabulary import Minor

REFUSALS = {
    "shipping_method_missing": "Say how it is to be shipped.",
    "shipping_method_unknown": "There is no such way of shipping.",
    "shipping_method_not_for_country": "Nothing is shipped there in this way.",
    "shipping_method_of_other_currency": "This way of shipping is priced in another currency than the goods.",
    "shipping_method_not_for_so_much": "The goods weigh or cost more than is shipped in this way.",
}


class Band(BaseModel):
    """`up_to`, itself included, counts grams or minor units; without it (null) the band is for all that is more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: Annotated[int, Field(strict=True, ge=0, le=10**13)] | None = None
    price_minor: Minor


class Tariff(BaseModel):
    model_config = ConfigDict(frozen=True)

    basis: Literal["weight", "value"]
    currency: str
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=100)]
    countries: frozenset[str] | None = None
    free_from_minor: int | None = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        ends = [band.up_to for band in self.bands]
        known = [end for end in ends if end is not None]
        if None in ends[:-1] or known != sorted(set(known)):
            raise ValueError("bands must ascend, and only the last may be without an end")
        return self

    def refusal(self, country: str | None, currency: str | None, goods_minor: int, weight_g: int) -> str | None:
        """A code of REFUSALS. What it costs is open where the `currency` is."""
        if self.countries is not None and country not in self.countries:
            return "shipping_method_not_for_country"
        if currency is None:
            return None
        if currency != self.currency:
            return "shipping_method_of_other_currency"
        if self.price(goods_minor, weight_g) is None:
            return "shipping_method_not_for_so_much"
        return None

    def price(self, goods_minor: int, weight_g: int) -> int | None:
        """For goods that cost so much after discounts and weigh so much; None where no band reaches so far."""
        measure = weight_g if self.basis == "weight" else goods_minor
        for band in self.bands:
            if band.up_to is None or measure <= band.up_to:
                free = self.free_from_minor is not None and goods_minor >= self.free_from_minor
                return 0 if free else band.price_minor
        return None


class Method(Tariff):
    """A method as the shop offers it, beside what it costs."""

    code: str
    name: str
    tax_class: str
