"""What may be asked of the figures of sales, the same of all: a time, a country, a category, a currency."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from sqlalchemy import text

from shared.orders.problems import NoSuchCategory
from shared.runtime import Request, Work
from shared.vocabulary import Currency

By = Literal["day", "week", "month"]

TIME_ZONE = text("select time_zone from orders.figures_policy")

# A category's own id is taken also when the category is no more: what was sold in it was sold.
CATEGORY = text("""
select array(
  select c.id::text from catalog.categories c
  where (c.slug = :category or c.id::text = :category)
     or exists (select from catalog.categories a
                where (a.slug = :category or a.id::text = :category) and a.id = any(c.ancestors))
  union select :category where :category ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'
) as ids
""")

IN_TIME = """
(cast(:since as date) is null or day >= :since) and (cast(:until as date) is null or day <= :until)
"""

CHOSEN = f"""
{IN_TIME} and (cast(:currency as text) is null or currency = :currency)
and (cast(:country as text) is null or country = :country)
"""

IN_CATEGORY = "(cast(:categories as text[]) is null or category = any(:categories))"

GROSS = "coalesce(sum(amount_minor) filter (where kind = 'sale'), 0)::bigint"
CANCELLED = "coalesce(sum(amount_minor) filter (where kind in ('cancellation', 'short')), 0)::bigint"
REFUNDED = "coalesce(sum(amount_minor) filter (where kind = 'refund'), 0)::bigint"
UNITS = "coalesce(sum(units) filter (where kind = 'sale'), 0)::bigint"
UNITS_BACK = "coalesce(sum(units) filter (where kind in ('cancellation', 'short', 'refund')), 0)::bigint"

MONEY = f"""
{GROSS} as gross_minor, {CANCELLED} as cancelled_minor, {REFUNDED} as refunded_minor,
{GROSS} - {CANCELLED} - {REFUNDED} as net_minor, {UNITS} as units, {UNITS_BACK} as units_back
"""

Day = Annotated[date, Field(examples=["2026-03-01"])]


class InTime(Request):
    """From the day `from` to the day `to`, both included, by the shop's time zone; without them, all time."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.from_ and self.to and self.from_ > self.to:
            raise ValueError("from must not be after to")
        return self

    @property
    def time(self) -> dict[str, Any]:
        return {"since": self.from_, "until": self.to}


class Chosen(InTime):
    """`country` is as the books have it. `category` is a slug or id, and means what is below it, too."""

    currency: Currency | None = None
    country: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    category: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    async def values(self, work: Work) -> dict[str, Any]:
        """What CHOSEN and IN_CATEGORY bind. Raises NoSuchCategory."""
        categories = None
        if self.category is not None:
            categories = await work.db.value(CATEGORY, category=self.category)
            if not categories:
                raise NoSuchCategory(category=self.category)
        return {**self.time, "currency": self.currency, "country": self.country, "categories": categories}


def share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
