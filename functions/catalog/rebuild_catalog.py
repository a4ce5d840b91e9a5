"""Compare every derived row of the catalogue with its source, and mend what differs (PROD-012)."""

from typing import Annotated

from pydantic import Field

from shared.catalog import metrics
from shared.catalog.rebuilding import PARTS, PartName
from shared.catalog.tables import DERIVED, SOURCES, sales
from shared.inventory.tables import items, locations
from shared.inventory.tables import stock as inventory_stock
from shared.orders.tables import order_lines, saga_moves
from shared.platform.tables import inbox, outbox, streams
from shared.runtime import Request, View, Work, http
from shared.runtime.problems import ValidationFailed

CHECKED = {part: metrics.CHECKED.labels(part) for part in PARTS}
DIFFERENCES = {part: metrics.DIFFERENCES.labels(part) for part in PARTS}


class RebuildCatalog(Request):
    """One batch of one part, of the keys after `after`; `mend` writes what must be in place of what differs."""

    part: PartName
    after: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=2_000)] = 500
    mend: bool = False


class Difference(View):
    """What differs in the rows derived under this key: `missing` or `stray` rows, or the parts of them named here."""

    key: str
    what: list[str]


class Rebuilt(View):
    """`after` asks for the next batch; it is null at the end of the part."""

    part: PartName
    checked: int
    differences: list[Difference]
    mended: bool
    after: str | None


@http(
    "POST /v1/admin/catalog-rebuild",
    role="operator",
    reads=[*SOURCES, items, inventory_stock, locations, order_lines, saga_moves, streams, outbox, inbox],
    writes=[sales, *DERIVED],
)
async def rebuild_catalog(request: RebuildCatalog, work: Work) -> Rebuilt:
    """The same batch again finds nothing more. Readers and writers go on meanwhile."""
    part = PARTS[request.part]
    try:
        after = part.key(part.first if request.after is None else request.after)
    except ValueError:
        raise ValidationFailed(errors=[{"pointer": "/after", "detail": "This is no key of this part."}]) from None
    if request.mend and part.lock is not None:
        await work.db.send(part.lock)
    rows = await work.db.all(part.find, after=after, count=request.limit)
    wrong = [row for row in rows if row.differences]
    if wrong and request.mend:
        await part.mend(work, wrong)
    CHECKED[request.part].inc(len(rows))
    DIFFERENCES[request.part].inc(len(wrong))
    return Rebuilt(
        part=request.part,
        checked=len(rows),
        differences=[Difference(key=str(row.key), what=row.differences) for row in wrong],
        mended=bool(wrong) and request.mend,
        after=str(rows[-1].key) if len(rows) == request.limit else None,
    )
