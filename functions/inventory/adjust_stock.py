"""Receive, write off or correct stock by a difference (INV-003)."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.inventory.ledger import LEDGER_EVENTS, Change, LedgerEntry, Reason, book
from shared.inventory.levels import LocationId, Note, lock_level
from shared.inventory.problems import InsufficientStock
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock
from shared.runtime import Request, Work, http
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import BOOKS_DAYS, Moment, Sku


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must not be zero")
    return value


Delta = Annotated[int, Field(strict=True, ge=-1_000_000_000, le=1_000_000_000), AfterValidator(_not_zero)]


class AdjustStock(Request):
    """`at` is when the goods moved, if that was earlier than now."""

    sku: Sku
    location: LocationId
    delta: Delta
    reason: Reason
    note: Note | None = None
    at: Moment | None = None


@http(
    "POST /v1/stock/{sku}/{location}/adjustments",
    status=201,
    role="admin",
    idempotent=True,
    key_days=BOOKS_DAYS,
    reads=[locations, holds, hold_lines],
    writes=[items, stock, ledger],
    emits=LEDGER_EVENTS,
)
async def adjust_stock(request: AdjustStock, work: Work) -> LedgerEntry:
    """May take what is promised already, which makes a shortfall, but never more than is on hand.

    Raises UnknownLocation, InsufficientStock.
    """
    sku, location, delta = request.sku, request.location, request.delta
    if request.at is not None and request.at > work.now:
        raise ValidationFailed(errors=[{"pointer": "/at", "detail": "This is in the future."}])
    item, level = await lock_level(work, sku, location)
    if level.on_hand + delta < 0:
        raise InsufficientStock(sku=sku, location=location, on_hand=level.on_hand, delta=delta)
    change = Change(level, delta, request.reason, note=request.note, at=request.at)
    (entry,) = await book(work, {sku: item}, [change])
    return entry
