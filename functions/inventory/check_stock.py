"""Check the stock of many SKUs in one call, each in all and by location (INV-002)."""

from typing import Annotated

from pydantic import Field

from shared.inventory.counts import Stock, stock_of
from shared.inventory.tables import items, locations, stock, transfer_lines, transfers
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Sku


class CheckStock(Request):
    """`sku` is given several times, up to 100."""

    sku: Annotated[tuple[Sku, ...], Field(min_length=1, max_length=100)]


class Checked(View):
    """In the order of their codes. `unknown` are SKUs that the inventory never heard of."""

    items: list[Stock]
    unknown: list[str]


@http("GET /v1/stock", role=("service", "admin"), reads=[items, stock, locations, transfers, transfer_lines])
async def check_stock(request: CheckStock, work: Work) -> Checked:
    skus = sorted(set(request.sku))
    found = await stock_of(work, skus)
    known = {stock.sku for stock in found}
    return Checked(items=found, unknown=[sku for sku in skus if sku not in known])
