"""Explain the stock of a SKU: what brought each unit, to whom it is promised, what is coming (INV-004, INV-005)."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.inventory.counts import SUMMED, Counts
from shared.inventory.events import StockStatus
from shared.inventory.explaining import WhyAt, summed, why
from shared.inventory.problems import UnknownItem
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock, transfer_lines, transfers
from shared.runtime import Request, Work, http
from shared.vocabulary import Sku

ITEM = text("select tracked, status from inventory.items where sku = :sku")


class ExplainStock(Request):
    """At each location up to `shown` entries, orders and transfers are listed one by one; the rest is summed."""

    sku: Sku
    shown: Annotated[int, Field(ge=1, le=500)] = 100


class Why(Counts):
    """All locations together, and each with what its counts are made of, in the order in which they are served."""

    sku: str
    tracked: bool
    status: StockStatus
    locations: list[WhyAt]


@http(
    "GET /v1/stock/{sku}/why",
    role=("admin", "operator"),
    reads=[items, stock, locations, holds, hold_lines, ledger, transfers, transfer_lines],
)
async def explain_stock(request: ExplainStock, work: Work) -> Why:
    """What is there is taken to be what came last: goods leave in the order in which they came. Raises UnknownItem."""
    item = await work.db.one(ITEM, sku=request.sku)
    if item is None:
        raise UnknownItem(sku=request.sku)
    levels = await why(work, request.sku, request.shown)
    totals = {name: summed(levels, name) for name in SUMMED}
    return Why(**totals, sku=request.sku, tracked=item.tracked, status=item.status, locations=levels)
