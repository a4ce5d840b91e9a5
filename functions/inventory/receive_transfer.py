"""Book what has arrived of a transfer, all of it or a part, and what was lost on the way (INV-012)."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.inventory.items import lock_items
from shared.inventory.ledger import LEDGER_EVENTS, Cause, Change, book, check_past
from shared.inventory.levels import Note
from shared.inventory.problems import LocationClosed, MoreThanOpen
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock, transfer_lines, transfers
from shared.inventory.transfers import Transfer, TransferLine, lock_open_transfer, settle
from shared.runtime import Request, Work, http
from shared.vocabulary import BOOKS_DAYS, Moment, Sku

Units = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class ArrivedLine(BaseModel):
    """So many have arrived, and so many will not any more. Several lines may name the same SKU: they are one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    quantity: Units
    lost: Units = 0

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.quantity + self.lost:
            raise ValueError("quantity and lost must not both be zero")
        return self


class ReceiveTransfer(Request):
    """Without `lines` all that is open has arrived. `at` is when, if that was earlier than now."""

    transfer: UUID
    lines: Annotated[list[ArrivedLine], Field(min_length=1, max_length=1_000)] | None = None
    note: Note | None = None
    at: Moment | None = None


@http(
    "POST /v1/transfers/{transfer}/arrivals",
    status=201,
    role="admin",
    idempotent=True,
    key_days=BOOKS_DAYS,
    reads=[locations, holds, hold_lines],
    writes=[items, stock, ledger, transfers, transfer_lines],
    emits=LEDGER_EVENTS,
)
async def receive_transfer(request: ReceiveTransfer, work: Work) -> Transfer:
    """What is lost is booked nowhere else: it left the origin when the transfer did.

    Raises UnknownTransfer, TransferEnded, MoreThanOpen, LocationClosed.
    """
    check_past(work, request.at)
    transfer = await lock_open_transfer(work, request.transfer)
    settled = _settled(transfer, request.lines)
    before = {line.sku: line.arrived for line in transfer.lines}
    arrived = {line.sku: units for line in settled if (units := line.arrived - before[line.sku])}
    if arrived:
        destination = transfer.destination
        stocked = await lock_items(work, arrived, [(sku, destination) for sku in arrived])
        reason: Cause = "transfer_in" if transfer.origin else "received"
        changes = []
        for sku, units in arrived.items():
            level = stocked[sku].at(destination)
            if level is None or not level.open:
                raise LocationClosed(location=destination)
            changes.append(Change(level, units, reason, note=request.note, at=request.at, transfer=transfer.id))
        await book(work, stocked, changes)
    now = {line.sku: line for line in settled}
    still_open = any(now.get(line.sku, line).open for line in transfer.lines)
    return await settle(work, transfer, settled, "in_transit" if still_open else "arrived")


def _settled(transfer: Transfer, said: list[ArrivedLine] | None) -> list[TransferLine]:
    """The lines that are said to have arrived, as they are then. Raises MoreThanOpen."""
    lines = {line.sku: line for line in transfer.lines}
    sums = {sku: [0, 0] for sku in sorted({one.sku for one in said or ()})}
    for one in said or ():
        sums[one.sku][0] += one.quantity
        sums[one.sku][1] += one.lost
    if said is None:
        sums = {line.sku: [line.open, 0] for line in transfer.lines if line.open}
    faults: list[dict[str, object]] = []
    settled = []
    for sku, (arrived, lost) in sums.items():
        line = lines.get(sku)
        if line is None or arrived + lost > line.open:
            there = line.open if line else 0
            faults.append({"sku": sku, "quantity": arrived, "lost": lost, "open": there})
            continue
        counts = {"arrived": line.arrived + arrived, "lost": line.lost + lost, "open": line.open - arrived - lost}
        settled.append(line.model_copy(update=counts))
    if faults:
        raise MoreThanOpen(transfer=str(transfer.id), lines=faults)
    return settled
