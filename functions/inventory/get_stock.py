"""Show how much there is of a SKU, in all and by location (INV-002)."""

from shared.inventory.counts import Stock, stock_of
from shared.inventory.problems import UnknownItem
from shared.inventory.tables import items, locations, stock, transfer_lines, transfers
from shared.runtime import Request, Work, http
from shared.vocabulary import Sku


class GetStock(Request):
    sku: Sku


@http("GET /v1/stock/{sku}", role=("service", "admin"), reads=[items, stock, locations, transfers, transfer_lines])
async def get_stock(request: GetStock, work: Work) -> Stock:
    """Raises UnknownItem."""
    found = await stock_of(work, [request.sku])
    if not found:
        raise UnknownItem(sku=request.sku)
    return found[0]
