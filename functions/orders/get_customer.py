"""Show a customer, with what they have ordered altogether (ORD-013)."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from shared.orders.desk_problems import UnknownCustomer
from shared.orders.tables import customers, orders
from shared.runtime import Request, View, Work, http

CUSTOMER = text("""
select id, name, email, country, created_at, erased_at from orders.customers where id = :customer_id
""")

SUMS = text("""
select currency, count(*) as orders, count(*) filter (where status in ('confirmed', 'completed')) as sold,
  coalesce(sum(total_minor) filter (where status in ('confirmed', 'completed')), 0)::bigint as total_minor,
  coalesce(sum(refunded_minor), 0)::bigint as refunded_minor,
  min(placed_at) as first_at, max(placed_at) as last_at
from orders.orders where customer_id = :customer_id group by currency order by currency
""")


class GetCustomer(Request):
    customer_id: Annotated[str, Field(min_length=1, max_length=100)]


class Bought(BaseModel):
    """All orders in one currency; `sold` of them were confirmed, and `total_minor` is theirs."""

    model_config = ConfigDict(frozen=True)

    currency: str
    orders: int
    sold: int
    total_minor: int
    refunded_minor: int
    first_at: datetime
    last_at: datetime


class CustomerDetail(View):
    id: str
    name: str | None = None
    email: str | None = None
    country: str | None = None
    created_at: datetime | None = None
    erased_at: datetime | None = None
    bought: list[Bought]


@http("GET /v1/admin/customers/{customer_id}", role=("admin", "operator"), reads=[customers, orders])
async def get_customer(request: GetCustomer, work: Work) -> CustomerDetail:
    """Raises UnknownCustomer."""
    sums = work.db.enqueue(SUMS, customer_id=request.customer_id)
    row = await work.db.one(CUSTOMER, customer_id=request.customer_id)
    bought = [one._asdict() for one in await sums.all()]
    if row is None and not bought:
        raise UnknownCustomer(customer_id=request.customer_id)
    known = {"id": request.customer_id} if row is None else row._asdict()
    return CustomerDetail.model_validate({**known, "bought": bought})
