"""List what changed the stock of a SKU, newest first, in keyset pages."""

from sqlalchemy import bindparam, select

from shared.inventory.ledger import LedgerEntry
from shared.inventory.tables import ledger
from shared.runtime import Page, Paged, Work, http, key_of
from shared.vocabulary import Sku

NEWEST = 2**63 - 1

PAGE = (
    select(*(ledger.c[name] for name in LedgerEntry.model_fields))
    .where(ledger.c.sku == bindparam("sku"), ledger.c.id < bindparam("before"))
    .order_by(ledger.c.id.desc())
    .limit(bindparam("count"))
)


class ListLedger(Paged):
    sku: Sku


@http("GET /v1/stock/{sku}/ledger", role="admin", reads=[ledger])
async def list_ledger(request: ListLedger, work: Work) -> Page[LedgerEntry]:
    (before,) = key_of(request.cursor, int) or (NEWEST,)
    rows = await work.db.all(PAGE, sku=request.sku, before=before, count=request.limit + 1)
    items = [LedgerEntry.model_validate(row, from_attributes=True) for row in rows[: request.limit]]
    return Page(items, (items[-1].id,) if len(rows) > request.limit else None)
