"""Compare the counters of stock with ledger, holds and what was told, say why they differ, and mend it (INV-011)."""

from typing import Annotated

from pydantic import Field

from shared.inventory.differences import Difference, look
from shared.inventory.events import StockAdjusted
from shared.inventory.facts import SKUS
from shared.inventory.reconciling import TAKE_TIME, Mend, mend
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, hold_parts, holds, items, ledger, locations, mendings, stock
from shared.runtime import Request, View, Work, http


class ReconcileStock(Request):
    """One batch, of the SKUs after `after`.

    With `mend` what is held and committed becomes what the live holds say. With `counters` what is on hand becomes what
    the ledger says; with `ledger` it stays as it is, and the difference is entered as a reconciliation.
    """

    after: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 200
    mend: Mend = "none"


class Reconciled(View):
    """`after` asks for the next batch; it is null at the end."""

    checked: int
    differences: list[Difference]
    after: str | None


@http(
    "POST /v1/admin/stock-reconciliation",
    role="operator",
    reads=[locations],
    writes=[items, stock, ledger, holds, hold_lines, hold_parts, mendings],
    emits=[StockAdjusted, *STATUS_EVENTS],
)
async def reconcile_stock(request: ReconcileStock, work: Work) -> Reconciled:
    """The shop stays open. The same batch again finds nothing more, but for what is said to be not mended."""
    await work.db.send(TAKE_TIME)
    skus = [row.sku for row in await work.db.all(SKUS, after=request.after, limit=request.limit)]
    differences = (await look(work, skus)).differences if skus else []
    if differences and request.mend != "none":
        differences = await mend(work, differences, request.mend)
    return Reconciled(
        checked=len(skus), differences=differences, after=skus[-1] if len(skus) == request.limit else None
    )
