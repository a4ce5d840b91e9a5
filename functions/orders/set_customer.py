"""Keep what the shop knows of a customer (ORD-013)."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.orders.tables import customers
from shared.runtime import Request, View, Work, http

KEEP = text("""
insert into orders.customers as c (id, name, email, country, created_at, updated_at)
values (:customer_id, :name, :email, :country, :now, :now)
on conflict (id) do update
  set name = excluded.name, email = excluded.email, country = excluded.country, updated_at = :now, erased_at = null
where (c.name, c.email, c.country) is distinct from (excluded.name, excluded.email, excluded.country)
""")


class SetCustomer(Request):
    """The whole of it: what is left out is forgotten."""

    customer_id: Annotated[str, Field(min_length=1, max_length=100)]
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    country: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class CustomerView(View):
    customer_id: str
    name: str | None
    email: str | None
    country: str | None


@http("PUT /v1/admin/customers/{customer_id}", role="admin", writes=[customers])
async def set_customer(request: SetCustomer, work: Work) -> CustomerView:
    await work.db.send(KEEP, **request.model_dump(), now=work.now)
    return CustomerView(**request.model_dump())
