"""List refunds by what became of them, oldest first: those that are not paid, unless asked otherwise (ORD-011)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.fulfilment_tables import refunds
from shared.orders.fulfilment_views import REFUND, RefundView
from shared.orders.tables import orders
from shared.runtime import Page, Paged, Work, http, key_of

Status = Literal["requested", "succeeded", "failed"]
UNSETTLED: tuple[Status, ...] = ("requested", "failed")

_REST = """
  and (r.created_at, r.id) > (coalesce(cast(:time as timestamptz), '-infinity'), cast(:id as uuid))
  and (cast(:order_id as uuid) is null or r.order_id = :order_id)
order by r.created_at, r.id limit :count
"""
PAGE = text(f"{REFUND} where r.status = any(cast(:statuses as text[])) {_REST}")
# Those that are not paid are few among all that ever were: they have an index of their own.
OPEN = text(f"{REFUND} where r.status <> 'succeeded' and r.status = any(cast(:statuses as text[])) {_REST}")


class ListRefunds(Paged):
    """`status` may be repeated."""

    status: Annotated[tuple[Status, ...], Field(max_length=3)] = UNSETTLED
    order_id: UUID | None = None


@http("GET /v1/admin/refunds", role=("admin", "operator"), reads=[orders, refunds])
async def list_refunds(request: ListRefunds, work: Work) -> Page[RefundView]:
    time, id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, UUID(int=0))
    statuses = request.status or UNSETTLED
    rows = await work.db.all(
        PAGE if "succeeded" in statuses else OPEN,
        statuses=list(statuses),
        time=time,
        id=id,
        order_id=request.order_id,
        count=request.limit + 1,
    )
    found = [RefundView.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(found, (found[-1].created_at, found[-1].id) if len(rows) > request.limit else None)
