"""End a transfer before all of it has arrived: what is open goes back to where it came from (INV-012)."""

from uuid import UUID

from shared.inventory.items import lock_items, lock_locations
from shared.inventory.ledger import LEDGER_EVENTS, Change, book
from shared.inventory.levels import Note
from shared.inventory.tables import hold_lines, holds, items, ledger, locations, stock, transfer_lines, transfers
from shared.inventory.transfers import Transfer, lock_open_transfer, settle
from shared.runtime import Request, Work, http
from shared.vocabulary import BOOKS_DAYS


class CancelTransfer(Request):
    transfer: UUID
    note: Note | None = None


@http(
    "POST /v1/transfers/{transfer}/cancellation",
    role="admin",
    idempotent=True,
    key_days=BOOKS_DAYS,
    reads=[locations, holds, hold_lines],
    writes=[items, stock, ledger, transfers, transfer_lines],
    emits=LEDGER_EVENTS,
)
async def cancel_transfer(request: CancelTransfer, work: Work) -> Transfer:
    """Those of a supplier do not come any more. An origin that was closed meanwhile takes its goods back, too.

    Raises UnknownTransfer, TransferEnded.
    """
    transfer = await lock_open_transfer(work, request.transfer)
    back = {line.sku: line.open for line in transfer.lines if line.open}
    if transfer.origin is not None:
        await lock_locations(work, [transfer.origin])
        stocked = await lock_items(work, back)
        changes = []
        for sku, units in back.items():
            level = stocked[sku].at(transfer.origin)
            assert level is not None, "the goods were there"
            changes.append(Change(level, units, "transfer_back", note=request.note, transfer=transfer.id))
        await book(work, stocked, changes)
    returned = [line.model_copy(update={"returned": line.returned + line.open, "open": 0}) for line in transfer.lines]
    return await settle(work, transfer, returned, "cancelled")
