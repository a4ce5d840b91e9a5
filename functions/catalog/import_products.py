"""Create and change many products by a file, with a status for each row (PROD-001, PROD-002)."""

from typing import get_args

from shared.catalog import metrics
from shared.catalog.bulk import Status, bring
from shared.catalog.events import ProductArchived, ProductCreated, ProductPublished, ProductUpdated
from shared.catalog.sheets import entries_of
from shared.catalog.tables import DERIVED, SOURCES, categories, products, variants
from shared.runtime import Rate, Request, View, Work, http
from shared.sheets import CSV, NDJSON

ROWS = {status: metrics.IMPORT_ROWS.labels(status) for status in get_args(Status)}


class ImportProducts(Request):
    """A file of at most 5,000 rows, CSV or NDJSON; `kn-shop product import` splits a longer one."""

    media_type: str
    body: bytes


class RowStatus(View):
    """What became of a product that stands on these rows (counted from 1, without a header)."""

    rows: list[int]
    slug: str
    status: Status
    errors: list[str]


class ImportReport(View):
    """Products are counted by what became of them."""

    created: int
    updated: int
    unchanged: int
    failed: int
    rows: list[RowStatus]


@http(
    "POST /v1/admin/product-import",
    role="admin",
    idempotent="optional",
    limit_bytes=8_388_608,
    rate=Rate(per_s=20, burst=100),
    takes=(CSV, NDJSON),
    reads=[categories, *SOURCES],
    writes=[products, variants, *DERIVED],
    emits=[ProductCreated, ProductUpdated, ProductPublished, ProductArchived],
)
async def import_products(request: ImportProducts, work: Work) -> ImportReport:
    """A product is found by its slug, or else by its first SKU, and what is left out stays as it is.

    A row that fails does not keep the others out.
    """
    outcomes = await bring(work, entries_of(request.media_type, request.body))
    rows = [RowStatus(rows=list(o.rows), slug=o.slug, status=o.status, errors=o.errors) for o in outcomes]
    counts = {status: sum(row.status == status for row in rows) for status in ROWS}
    for row in rows:
        ROWS[row.status].inc(len(row.rows))
    return ImportReport(**counts, rows=rows)
