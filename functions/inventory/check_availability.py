"""Tell anybody whether SKUs can be had, without telling how many there are (INV-002)."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.inventory.events import StockStatus
from shared.inventory.tables import items
from shared.runtime import Rate, Request, View, Work, http
from shared.vocabulary import Sku

STATUSES = text("select sku, status from inventory.items where sku = any(cast(:skus as text[]))")


class CheckAvailability(Request):
    """`sku` is given several times, up to 100."""

    sku: Annotated[tuple[Sku, ...], Field(min_length=1, max_length=100)]


class Availability(View):
    sku: str
    status: StockStatus


class Available(View):
    """In the order of their codes. What the inventory never heard of is out of stock."""

    items: list[Availability]


@http("GET /v1/availability", role="public", cache_s=5, rate=Rate(per_s=50, burst=200), reads=[items])
async def check_availability(request: CheckAvailability, work: Work) -> Available:
    skus = sorted(set(request.sku))
    found = {row.sku: row.status for row in await work.db.all(STATUSES, skus=skus)}
    return Available(items=[Availability(sku=sku, status=found.get(sku, "out_of_stock")) for sku in skus])
