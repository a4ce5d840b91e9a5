"""Write orders to a file for a spreadsheet: an order to a row, or a line to a row (ORD-013)."""

import csv
import io
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.finding import DeskFilter, find
from shared.orders.tables import audit, customers, order_lines, orders, sagas
from shared.runtime import Rate, Stream, Work, http
from shared.sheets import CSV, harmless

AT_ONCE = 500
"""So many orders are read for one piece."""

ORDER = (
    "id", "number", "reference", "customer_id", "email", "guest", "placed_at", "status", "payment", "fulfilment",
    "reason", "review", "tags", "country", "currency", "total_minor", "refunded_minor",
)  # fmt: skip
LINE = (
    "line_no", "sku", "title", "quantity", "unit_price_minor", "discount_minor", "tax_minor", "line_total_minor",
    "shipped_quantity", "cancelled_quantity", "returned_quantity",
)  # fmt: skip

LINES = text("""
select order_id, line_no, sku, title, quantity, unit_price_minor, discount_minor, tax_minor,
  total_minor as line_total_minor, shipped_quantity, cancelled_quantity, returned_quantity
from orders.order_lines where order_id = any(cast(:orders as uuid[])) order by order_id, line_no
""")


class ExportOrders(DeskFilter):
    """`rows` says whether each row is an order, or one of its lines with its order beside it."""

    rows: Literal["orders", "lines"] = "orders"


@http(
    "GET /v1/admin/order-export",
    role="admin",
    rate=Rate(per_s=1, burst=10),
    reads=[orders, order_lines, sagas, customers],
    writes=[audit],
)
async def export_orders(request: ExportOrders, work: Work) -> Annotated[Stream, "text/csv"]:
    """Newest first, of any number; amounts in minor units. Who had it is kept.

    What a spreadsheet would take for a formula has an apostrophe before it. An order that changes meanwhile is written
    as it was or as it is.
    """
    personal = {"email", "customer_id"}
    asked = request.model_dump(mode="json", exclude_defaults=True)
    told = {name: "given" if name in personal else value for name, value in asked.items()}
    await record(work, "orders.exported", asked=told)
    return Stream(f"{CSV}; charset=utf-8", partial(_piece, request), f"{request.rows}.csv")


async def _piece(
    wanted: ExportOrders, after: tuple[datetime, UUID] | None, work: Work
) -> tuple[bytes, tuple[datetime, UUID] | None]:
    found = await find(work, wanted, AT_ONCE, after)
    written = io.StringIO()
    rows = csv.writer(written)
    if after is None:
        rows.writerow([*ORDER, *LINE] if wanted.rows == "lines" else ORDER)
    if wanted.rows == "orders":
        rows.writerows(_cells(order, ORDER) for order in found)
    else:
        by_id = {order.id: _cells(order, ORDER) for order in found}
        lines: dict[UUID, list[Any]] = {}
        for line in await work.db.all(LINES, orders=[*by_id]):
            lines.setdefault(line.order_id, []).append(_cells(line, LINE))
        rows.writerows([*cells, *line] for order_id, cells in by_id.items() for line in lines[order_id])
    last = (found[-1].placed_at, found[-1].id) if len(found) == AT_ONCE else None
    return written.getvalue().encode(), last


def _cells(row: Any, names: tuple[str, ...]) -> list[str]:
    return [_cell(getattr(row, name)) for name in names]


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat()
        case list():
            return harmless(" ".join(value))
        case str():
            return harmless(value)
        case _:
            return str(value)
