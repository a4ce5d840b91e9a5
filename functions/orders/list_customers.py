"""Find customers by name, e-mail or country (ORD-013)."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated

from pydantic import Field
from sqlalchemy import TextClause, text

from shared.orders.finding import Email
from shared.orders.tables import customers
from shared.runtime import Page, Paged, View, Work, http, key_of

CONDITIONS = {
    "email": "lower(c.email) = lower(:email)",
    "name": "lower(c.name) like :name",
    "country": "c.country = :country",
    "after": "c.id > :after",
}


class ListCustomers(Paged):
    """`name` is how it begins, in letters of any case."""

    email: Email | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    country: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class CustomerSummary(View):
    id: str
    name: str | None
    email: str | None
    country: str | None
    created_at: datetime
    erased_at: datetime | None


@lru_cache(maxsize=16)
def _page(asked: frozenset[str]) -> TextClause:
    where = " and ".join(condition for name, condition in CONDITIONS.items() if name in asked) or "true"
    return text(f"""
select c.id, c.name, c.email, c.country, c.created_at, c.erased_at
from orders.customers c where {where} order by c.id limit :count
""").execution_options(planned="anew")  # noqa: S608 - of constants


@http("GET /v1/admin/customers", role=("admin", "operator"), reads=[customers])
async def list_customers(request: ListCustomers, work: Work) -> Page[CustomerSummary]:
    """By id. Customers of whom the shop knows only their orders are not listed."""
    said = request.model_dump(include={"email", "name", "country"}, exclude_none=True)
    if "name" in said:
        said["name"] = _escaped(said["name"].lower()) + "%"
    if key := key_of(request.cursor, str):
        (said["after"],) = key
    rows = await work.db.all(_page(frozenset(said)), count=request.limit + 1, **said)
    shown = [CustomerSummary.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].id,) if len(rows) > request.limit else None)


def _escaped(text: str) -> str:
    """What LIKE takes for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
