"""Count and correct many levels by a file, with a status for each row (INV-001, INV-003)."""

from collections import Counter

from shared.inventory.bulk import Status, bring
from shared.inventory.ledger import LEDGER_EVENTS
from shared.inventory.sheets import entries_of
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock
from shared.runtime import Rate, Request, View, Work, http
from shared.sheets import CSV, NDJSON
from shared.vocabulary import BOOKS_DAYS


class ImportStock(Request):
    """A file of at most 5,000 rows, CSV or NDJSON; `kn-shop stock import` splits a longer one."""

    media_type: str
    body: bytes


class RowStatus(View):
    """What became of a row (counted from 1, without a header), and the level that it led to or found."""

    rows: list[int]
    sku: str
    location: str
    status: Status
    on_hand: int | None
    errors: list[str]


class StockImportReport(View):
    """Rows are counted by what became of them."""

    changed: int
    unchanged: int
    failed: int
    rows: list[RowStatus]


@http(
    "POST /v1/admin/stock-import",
    role="admin",
    idempotent="optional",
    key_days=BOOKS_DAYS,
    limit_bytes=8_388_608,
    rate=Rate(per_s=20, burst=100),
    takes=(CSV, NDJSON),
    reads=[locations, holds, hold_lines],
    writes=[items, stock, ledger],
    emits=LEDGER_EVENTS,
)
async def import_stock(request: ImportStock, work: Work) -> StockImportReport:
    """A row has a SKU, a location, and either `on_hand`, what was counted, or `delta`, by how much it changed.

    Rows are booked in their order, also several of one level. A row that fails does not keep the others out.
    """
    outcomes = await bring(work, entries_of(request.media_type, request.body))
    rows = [
        RowStatus(
            rows=[entry.row],
            sku=entry.sku,
            location=entry.location,
            status=status,
            on_hand=on_hand,
            errors=list(errors),
        )
        for entry, status, on_hand, errors in outcomes
    ]
    counts = Counter(row.status for row in rows)
    return StockImportReport(
        changed=counts["changed"], unchanged=counts["unchanged"], failed=counts["failed"], rows=rows
    )
