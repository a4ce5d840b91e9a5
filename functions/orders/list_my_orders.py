"""List the caller's own orders, newest first (ORD-003)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, tuple_

from shared.orders.tables import orders, sagas
from shared.orders.views import SUMMARY, OrderSummary
from shared.runtime import Page, Paged, Work, http, key_of

MINE = (
    SUMMARY.where(orders.c.customer_id == bindparam("customer_id"))
    .order_by(orders.c.placed_at.desc(), orders.c.id.desc())
    .limit(bindparam("count"))
)
MINE_BEFORE = MINE.where(
    tuple_(orders.c.placed_at, orders.c.id)
    < tuple_(bindparam("placed_at", type_=orders.c.placed_at.type), bindparam("id", type_=orders.c.id.type))
)


class ListMyOrders(Paged):
    pass


@http("GET /v1/orders", role="customer", reads=[orders, sagas])
async def list_my_orders(request: ListMyOrders, work: Work) -> Page[OrderSummary]:
    before = key_of(request.cursor, datetime.fromisoformat, UUID)
    place = {} if before is None else {"placed_at": before[0], "id": before[1]}
    rows = await work.db.all(
        MINE_BEFORE if place else MINE, customer_id=work.caller.subject, count=request.limit + 1, **place
    )
    shown = [OrderSummary.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].placed_at, shown[-1].id) if len(rows) > request.limit else None)
