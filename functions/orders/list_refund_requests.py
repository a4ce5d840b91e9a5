"""List what customers ask to have back, oldest first (ORD-011)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.fulfilment_tables import refund_requests
from shared.orders.refund_requests import REQUEST, RefundRequestView
from shared.orders.tables import orders
from shared.runtime import Page, Paged, Work, http, key_of

Status = Literal["open", "granted", "denied"]

PAGE = text(f"""{REQUEST}
where r.status = any(cast(:statuses as text[]))
  and (r.created_at, r.id) > (coalesce(cast(:time as timestamptz), '-infinity'), cast(:id as uuid))
  and (cast(:order_id as uuid) is null or r.order_id = :order_id)
order by r.created_at, r.id limit :count
""")


class ListRefundRequests(Paged):
    """`status` may be repeated; without it the open ones."""

    status: Annotated[tuple[Status, ...], Field(max_length=3)] = ("open",)
    order_id: UUID | None = None


@http("GET /v1/admin/refund-requests", role=("admin", "operator"), reads=[orders, refund_requests])
async def list_refund_requests(request: ListRefundRequests, work: Work) -> Page[RefundRequestView]:
    time, id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, UUID(int=0))
    rows = await work.db.all(
        PAGE,
        statuses=list(request.status or ("open",)),
        time=time,
        id=id,
        order_id=request.order_id,
        count=request.limit + 1,
    )
    found = [RefundRequestView.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(found, (found[-1].created_at, found[-1].id) if len(rows) > request.limit else None)
