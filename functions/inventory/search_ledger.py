"""Search the ledger of all SKUs: by location, reason, time, actor, order or transfer (INV-004)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.inventory.history import LedgerPage, ledger_page
from shared.inventory.ledger import LedgerEntry
from shared.inventory.tables import ledger, locations
from shared.runtime import Page, Work, http


class SearchLedger(LedgerPage):
    """`actor` is a caller's subject, or the source of the function that acted on an event."""

    actor: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    order_id: UUID | None = None
    transfer: UUID | None = None


@http("GET /v1/ledger", role=("admin", "operator"), reads=[ledger, locations])
async def search_ledger(request: SearchLedger, work: Work) -> Page[LedgerEntry]:
    return await ledger_page(work, request, actor=request.actor, order_id=request.order_id, transfer=request.transfer)
