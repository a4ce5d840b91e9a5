"""Find orders by number, e-mail, customer, SKU, status, time, amount, tag or reference, newest first (ORD-013)."""

from datetime import datetime
from uuid import UUID

from shared.orders.finding import DeskFilter, DeskSummary, find
from shared.orders.tables import customers, order_lines, orders, sagas
from shared.runtime import Page, Paged, Work, http, key_of


class SearchOrders(DeskFilter, Paged):
    pass


@http("GET /v1/admin/orders", role=("admin", "operator"), reads=[orders, order_lines, sagas, customers])
async def search_orders(request: SearchOrders, work: Work) -> Page[DeskSummary]:
    """What is asked for must all be so."""
    before = key_of(request.cursor, datetime.fromisoformat, UUID)
    rows = await find(work, request, request.limit + 1, before)
    shown = [DeskSummary.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].placed_at, shown[-1].id) if len(rows) > request.limit else None)
