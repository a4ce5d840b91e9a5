"""Orders found by what is known of them, newest first, one keyset page at a time."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import TextClause, text

from shared.orders.saga import Status
from shared.orders.views import OrderSummary
from shared.runtime import Request, Work
from shared.runtime.pipeline import Row
from shared.vocabulary import Moment, Sku

Fulfilment = Literal["unfulfilled", "shipping", "partial", "shipped", "delivered"]

Amount = Annotated[int, Field(ge=0, le=10**13)]

Email = Annotated[str, Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", examples=["ann@example.com"])]

Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$", examples=["gift"])]
"""A word to find orders by: lower-case letters, digits, and `._-` inside."""

STATUSES: tuple[Status, ...] = (
    "pending", "awaiting_customer", "confirmed", "completed", "rejected", "expired", "cancelling", "cancelled",
)  # fmt: skip
UNDER_WAY = frozenset({"pending", "awaiting_customer", "cancelling"})
WITHOUT_SALE = frozenset({"rejected", "expired", "cancelled"})
"""As sagas that end so are called, too."""
FEW = frozenset({"number", "reference", "email", "customer_id"})
"""By these few orders are found, and their status is looked at; a saga's state leads to all orders of it."""


class OrderFilter(Request):
    """`status` and `fulfilment` may be repeated; `sku` finds orders with a line of it.

    Totals are in minor units, whatever the currency. Orders were placed at `since` or later, and before `until`.
    """

    status: Annotated[tuple[Status, ...], Field(max_length=len(STATUSES))] = ()
    fulfilment: Annotated[tuple[Fulfilment, ...], Field(max_length=5)] = ()
    since: Moment | None = None
    until: Moment | None = None
    sku: Sku | None = None
    min_total_minor: Amount | None = None
    max_total_minor: Amount | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "OrderFilter":
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("until is before since")
        return self


class DeskFilter(OrderFilter):
    """`email` is the order's or its customer's, in letters of any case. `review` finds what is held for review."""

    number: Annotated[str, Field(max_length=20, examples=["7Z3KD-0QX8M"])] | None = None
    reference: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    email: Email | None = None
    customer_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    tag: Tag | None = None
    review: bool | None = None
    guest: bool | None = None


class DeskSummary(OrderSummary):
    """`review` is why nothing may be shipped for now."""

    email: str | None
    country: str | None
    guest: bool
    fulfilment: Fulfilment
    tags: list[str]
    review: str | None


COLUMNS = """
  o.id, o.number, o.reference, o.customer_id, o.status, s.payment, s.reason, o.currency, o.total_minor,
  o.refunded_minor, o.placed_at, o.version + s.moves - 1 as version, o.email, o.country, o.guest, o.fulfilment, o.tags,
  o.review
"""

CONDITIONS = {
    "status": "o.status = any(cast(:status as text[]))",
    "fulfilment": "o.fulfilment = any(cast(:fulfilment as text[]))",
    "since": "o.placed_at >= :since",
    "until": "o.placed_at < :until",
    "sku": "o.id in (select order_id from orders.order_lines where sku = :sku)",
    "min_total_minor": "o.total_minor >= :min_total_minor",
    "max_total_minor": "o.total_minor <= :max_total_minor",
    "number": "o.number = upper(:number)",
    "reference": "o.reference = :reference",
    "email": """o.id in (
      select id from orders.orders where lower(email) = lower(:email)
      union all
      select w.id from orders.orders w join orders.customers c on c.id = w.customer_id
      where lower(c.email) = lower(:email))""",
    "customer_id": "o.customer_id = :customer_id",
    "country": "o.country = :country",
    "currency": "o.currency = :currency",
    "tag": "o.tags <> '{}' and o.tags @> array[cast(:tag as text)]",
    "review": "(o.review is not null) = :review",
    "in_review": "o.review is not null",
    "guest": "o.guest = :guest",
    # A status is not indexed, or every order's row would be indexed anew at each: what is rare is found by its saga.
    "under_way": "(s.deadline is not null or s.state = 'needs_attention')",
    "ended_as": "s.state = any(cast(:ended_as as text[])) and s.state in ('rejected', 'expired', 'cancelled')",
    "before": "(o.placed_at, o.id) < (:before_at, :before_id)",
}


@lru_cache(maxsize=512)
def _statement(asked: frozenset[str]) -> TextClause:
    where = "\n  and ".join(condition for name, condition in CONDITIONS.items() if name in asked) or "true"
    return text(f"""
select {COLUMNS}
from orders.orders o join orders.sagas s on s.order_id = o.id
where {where}
order by o.placed_at desc, o.id desc limit :count
""").execution_options(planned="anew")  # noqa: S608 - of constants


async def find(
    work: Work, wanted: OrderFilter, count: int, before: tuple[datetime, UUID] | None = None, **also: Any
) -> list[Row]:
    """At most `count` orders, those before a place in the order of time; `also` are further conditions by name."""
    asked: dict[str, Any] = {
        name: value for name, value in wanted.model_dump().items() if name in CONDITIONS and value not in (None, ())
    }
    asked.update(also)
    for name in ("status", "fulfilment"):
        if name in asked:
            asked[name] = list(asked[name])
    statuses = asked.get("status", ()) if FEW.isdisjoint(asked) else ()
    if statuses and WITHOUT_SALE.issuperset(statuses):
        asked["ended_as"] = asked.pop("status")
    conditions = {*asked}
    if statuses and UNDER_WAY.issuperset(statuses):
        conditions.add("under_way")
    if asked.get("review"):
        conditions.add("in_review")
    if before is not None:
        asked["before_at"], asked["before_id"] = before
        conditions.add("before")
    return await work.db.all(_statement(frozenset(conditions)), count=count, **asked)
