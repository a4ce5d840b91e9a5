"""Compare the figures of sales with the books, and mend what differs (ORD-014)."""

from typing import Annotated

from pydantic import Field

from shared.orders import figures_metrics as metrics
from shared.orders.figures_rebuilding import LOCK, PARTS, PartName
from shared.orders.figures_tables import FIGURES, SOURCES
from shared.runtime import Request, View, Work, http
from shared.runtime.problems import ValidationFailed

CHECKED = {part: metrics.CHECKED.labels(part) for part in PARTS}
DIFFERENCES = {part: metrics.DIFFERENCES.labels(part) for part in PARTS}


class RebuildFigures(Request):
    """One batch of one part, of the keys after `after`: orders for `facts`, days for `days`; first facts, then days.

    `mend` writes what must be in place of what differs.
    """

    part: PartName
    after: Annotated[str, Field(max_length=100)] | None = None
    limit: Annotated[int, Field(ge=1, le=2_000)] = 500
    mend: bool = False


class FigureDifference(View):
    """What differs of an order's facts (missing, stray, or the parts named), or of a day's sums."""

    key: str
    what: list[str]


class FiguresRebuilt(View):
    """`after` asks for the next batch; it is null at the end of the part."""

    part: PartName
    checked: int
    differences: list[FigureDifference]
    mended: bool
    after: str | None


@http("POST /v1/admin/figures-rebuild", role="operator", reads=SOURCES, writes=FIGURES)
async def rebuild_figures(request: RebuildFigures, work: Work) -> FiguresRebuilt:
    """The same batch again finds nothing more. Readers go on meanwhile; with `mend` counting waits for the batch."""
    part = PARTS[request.part]
    try:
        after = part.key(part.first if request.after is None else request.after)
    except ValueError:
        raise ValidationFailed(errors=[{"pointer": "/after", "detail": "This is no key of this part."}]) from None
    if request.mend:
        await work.db.send(LOCK)
    rows = await work.db.all(part.find, after=after, count=request.limit)
    wrong = [row for row in rows if row.what]
    if wrong and request.mend:
        await part.mend(work, wrong)
    told: dict[str, list[str]] = {}
    for row in wrong:
        told.setdefault(str(row.key), []).append(part.tells(row))
    keys = list(dict.fromkeys(str(row.key) for row in rows))
    CHECKED[request.part].inc(len(keys))
    DIFFERENCES[request.part].inc(len(told))
    return FiguresRebuilt(
        part=request.part,
        checked=len(keys),
        differences=[FigureDifference(key=key, what=what) for key, what in told.items()],
        mended=bool(wrong) and request.mend,
        after=keys[-1] if len(keys) == request.limit else None,
    )
