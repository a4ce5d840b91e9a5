"""List the caller's own orders, newest first, and those among them that are looked for (ORD-003)."""

from datetime import datetime
from uuid import UUID

from shared.orders.finding import OrderFilter, find
from shared.orders.tables import order_lines, orders, sagas
from shared.orders.views import OrderSummary
from shared.runtime import Page, Paged, Work, http, key_of


class ListMyOrders(OrderFilter, Paged):
    pass


@http("GET /v1/orders", role="customer", reads=[orders, order_lines, sagas])
async def list_my_orders(request: ListMyOrders, work: Work) -> Page[OrderSummary]:
    before = key_of(request.cursor, datetime.fromisoformat, UUID)
    rows = await find(work, request, request.limit + 1, before, customer_id=work.caller.subject)
    shown = [OrderSummary.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].placed_at, shown[-1].id) if len(rows) > request.limit else None)
