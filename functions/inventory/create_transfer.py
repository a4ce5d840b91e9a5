"""Send stock to another location, or announce what a supplier sends (INV-012)."""

from collections import Counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.inventory.items import Items, lock_items, lock_locations
from shared.inventory.ledger import LEDGER_EVENTS, Change, book
from shared.inventory.levels import LocationId, Note
from shared.inventory.locations import find_location
from shared.inventory.problems import LocationClosed, NotFree
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock, transfer_lines, transfers
from shared.inventory.transfers import Reference, Transfer, record_transfer
from shared.runtime import Request, Work, http
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import BOOKS_DAYS, Moment, Quantity, Sku


class TransferredLine(BaseModel):
    """Several lines may name the same SKU: they are one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    quantity: Quantity


class CreateTransfer(Request):
    """Without an `origin` a supplier sends the goods. `reference` is what others call it, such as a purchase order."""

    origin: LocationId | None = None
    destination: LocationId
    lines: Annotated[list[TransferredLine], Field(min_length=1, max_length=1_000)]
    reference: Reference | None = None
    note: Note | None = None
    expected_at: Moment | None = None


@http(
    "POST /v1/transfers",
    status=201,
    role="admin",
    idempotent=True,
    key_days=BOOKS_DAYS,
    reads=[locations, holds, hold_lines],
    writes=[items, stock, ledger, transfers, transfer_lines],
    emits=LEDGER_EVENTS,
)
async def create_transfer(request: CreateTransfer, work: Work) -> Transfer:
    """The goods leave the origin at once; only what is not promised to orders may. A closed location can be emptied.

    Raises UnknownLocation, LocationClosed for the destination, NotFree.
    """
    origin, destination = request.origin, request.destination
    if origin == destination:
        raise ValidationFailed(errors=[{"pointer": "/destination", "detail": "This is the origin."}])
    await lock_locations(work, [destination])
    if not (await find_location(work, destination)).open:
        raise LocationClosed(location=destination)
    if origin is not None:
        await find_location(work, origin)
    quantities: Counter[str] = Counter()
    for line in request.lines:
        quantities[line.sku] += line.quantity
    stocked = await lock_items(work, quantities)
    if origin is not None:
        _check_free(stocked, quantities, origin)
    transfer = await record_transfer(
        work,
        quantities,
        origin=origin,
        destination=destination,
        reference=request.reference,
        note=request.note,
        expected_at=request.expected_at,
    )
    leaving = [
        Change(level, -quantity, "transfer_out", note=request.note, transfer=transfer.id)
        for sku, quantity in sorted(quantities.items())
        if origin is not None and (level := stocked[sku].at(origin)) is not None
    ]
    if leaving:
        await book(work, stocked, leaving)
    return transfer


def _check_free(stocked: Items, quantities: Counter[str], origin: str) -> None:
    """Safety stock may leave: it is kept from being sold, and not sold by this."""
    lines: list[dict[str, object]] = []
    for sku, quantity in sorted(quantities.items()):
        level = stocked[sku].at(origin)
        free = max(0, level.on_hand - level.held - level.committed) if level else 0
        if free < quantity:
            lines.append({"sku": sku, "quantity": quantity, "free": free})
    if lines:
        raise NotFree(origin=origin, lines=lines)
