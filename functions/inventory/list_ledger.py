"""List what changed the stock of a SKU, newest first, in keyset pages (INV-004)."""

from shared.inventory.history import LedgerPage, ledger_page
from shared.inventory.ledger import LedgerEntry
from shared.inventory.tables import ledger, stock
from shared.runtime import Page, Work, http
from shared.vocabulary import Sku


class ListLedger(LedgerPage):
    sku: Sku


@http("GET /v1/stock/{sku}/ledger", role=("admin", "operator"), reads=[ledger, stock])
async def list_ledger(request: ListLedger, work: Work) -> Page[LedgerEntry]:
    """Of a SKU never heard of there are none."""
    return await ledger_page(work, request, sku=request.sku)
