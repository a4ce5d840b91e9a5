"""List fulfilments by location, status and age, oldest first: those to be picked, unless asked otherwise (ORD-005)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.fulfilment import OPEN, Status
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments
from shared.orders.fulfilment_views import FULFILMENT, FulfilmentView
from shared.orders.tables import order_lines, orders
from shared.runtime import Page, Paged, Work, http, key_of

TO_PICK = tuple(sorted(OPEN))

_REST = """
  and (f.created_at, f.id) > (coalesce(cast(:time as timestamptz), '-infinity'), cast(:id as uuid))
  and f.created_at <= now() - make_interval(secs => :age)
  and (cast(:location as text) is null or f.location = :location)
  and (cast(:order_id as uuid) is null or f.order_id = :order_id)
  and (not :ready or exists (select from orders.orders o where o.id = f.order_id and o.review is null))
order by f.created_at, f.id limit :count
"""
# What is to be picked has an index of its own: it is not looked for among all that has ever been sent.
PICKED = text(f"""{FULFILMENT} where f.status in ('pending', 'shipping') and f.status = any(cast(:statuses as text[]))
{_REST}""").execution_options(planned="anew")
PAGE = text(f"{FULFILMENT} where f.status = any(cast(:statuses as text[])) {_REST}").execution_options(planned="anew")


class ListFulfilments(Paged):
    """`status` may be repeated; without it pending and shipping. `ready`: only of orders that are not under review.

    `older_than_s`: made longer ago than that.
    """

    status: Annotated[tuple[Status, ...], Field(max_length=len(Status))] = TO_PICK
    location: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    order_id: UUID | None = None
    older_than_s: Annotated[int, Field(ge=0, le=10 * 366 * 86_400)] = 0
    ready: bool = False


@http(
    "GET /v1/admin/fulfilments",
    role=("admin", "operator"),
    reads=[fulfilments, fulfilment_lines, order_lines, orders],
)
async def list_fulfilments(request: ListFulfilments, work: Work) -> Page[FulfilmentView]:
    time, id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, UUID(int=0))
    statuses = request.status or TO_PICK
    rows = await work.db.all(
        PICKED if OPEN.issuperset(statuses) else PAGE,
        statuses=list(statuses),
        time=time,
        id=id,
        age=request.older_than_s,
        location=request.location,
        order_id=request.order_id,
        ready=request.ready,
        count=request.limit + 1,
    )
    found = [FulfilmentView.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(found, (found[-1].created_at, found[-1].id) if len(rows) > request.limit else None)
