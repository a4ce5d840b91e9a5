"""What a discount takes off which line, or why it cannot be had."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.orders.totals import share, spread

Scope = Literal["order", "line", "shipping"]

REFUSALS = {
    "discount_unknown": "There is no such discount.",
    "discount_not_started": "The discount is not to be had yet.",
    "discount_ended": "The discount is not to be had any more.",
    "discount_used_up": "The discount was used as often as it may be.",
    "discount_used_by_customer": "You have used the discount as often as you may.",
    "discount_not_combinable": "The discount cannot be had together with another one.",
    "discount_of_other_currency": "The discount is in another currency than the goods.",
    "discount_below_minimum": "The goods cost less than the discount asks for.",
    "discount_not_for_these_goods": "The discount is for other goods.",
    "discount_without_shipping": "The discount is on shipping, and nothing is charged for that.",
}


class Discount(BaseModel):
    """As it stands now: `early`, `late` and the uses are of the moment at which it was read."""

    model_config = ConfigDict(frozen=True)

    code: str
    scope: Scope
    percent_ppm: int | None
    amount_minor: int | None
    currency: str | None
    skus: frozenset[str]
    category_ids: frozenset[UUID]
    minimum_minor: int | None
    early: bool
    late: bool
    most_uses: int | None
    uses: int
    most_per_customer: int | None
    customer_uses: int
    combines: bool

    def refusal(self, currency: str | None, goods_minor: int | None, others: int) -> str | None:
        """A code of REFUSALS; what depends on money is not looked at where `currency` and `goods_minor` are open."""
        if self.early:
            return "discount_not_started"
        if self.late:
            return "discount_ended"
        if self.most_uses is not None and self.uses >= self.most_uses:
            return "discount_used_up"
        if self.most_per_customer is not None and self.customer_uses >= self.most_per_customer:
            return "discount_used_by_customer"
        if others and not self.combines:
            return "discount_not_combinable"
        if currency is not None and self.currency not in (None, currency):
            return "discount_of_other_currency"
        if goods_minor is not None and goods_minor < (self.minimum_minor or 0):
            return "discount_below_minimum"
        return None

    def covers(self, sku: str, categories: Sequence[UUID]) -> bool:
        """`categories` are the one that the product is in, and all above it. With no goods named it is for all."""
        if not self.skus and not self.category_ids:
            return True
        return sku in self.skus or not self.category_ids.isdisjoint(categories)

    def off(self, left: Sequence[int], quantities: Sequence[int]) -> list[int]:
        """What is taken off lines of which so much is `left` to pay.

        On the order it is reckoned once, for all of them, and shared out; on a line it is reckoned for each, and a
        fixed amount is off each unit.
        """
        if self.scope == "order":
            return spread(self._of(sum(left), 1), left)
        return [self._of(amount, quantity) for amount, quantity in zip(left, quantities, strict=True)]

    def off_shipping(self, price_minor: int) -> int:
        return self._of(price_minor, 1)

    def _of(self, amount_minor: int, times: int) -> int:
        if self.percent_ppm is not None:
            return share(amount_minor, self.percent_ppm)
        return min(amount_minor, (self.amount_minor or 0) * times)
