"""List returns of goods, oldest first: those that are expected, unless asked otherwise (ORD-011)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.fulfilment_tables import goods_return_lines, goods_returns
from shared.orders.goods_returns import RETURN, GoodsReturnView
from shared.orders.tables import order_lines
from shared.runtime import Page, Paged, Work, http, key_of

Status = Literal["authorized", "received", "closed"]

PAGE = text(f"""{RETURN}
where r.status = any(cast(:statuses as text[]))
  and (r.created_at, r.id) > (coalesce(cast(:time as timestamptz), '-infinity'), cast(:id as uuid))
  and (cast(:order_id as uuid) is null or r.order_id = :order_id)
order by r.created_at, r.id limit :count
""")


class ListGoodsReturns(Paged):
    """`status` may be repeated."""

    status: Annotated[tuple[Status, ...], Field(max_length=3)] = ("authorized",)
    order_id: UUID | None = None


@http(
    "GET /v1/admin/goods-returns",
    role=("admin", "operator"),
    reads=[goods_returns, goods_return_lines, order_lines],
)
async def list_goods_returns(request: ListGoodsReturns, work: Work) -> Page[GoodsReturnView]:
    time, id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, UUID(int=0))
    rows = await work.db.all(
        PAGE,
        statuses=list(request.status or ("authorized",)),
        time=time,
        id=id,
        order_id=request.order_id,
        count=request.limit + 1,
    )
    found = [GoodsReturnView.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(found, (found[-1].created_at, found[-1].id) if len(rows) > request.limit else None)
