"""Give back a part of what is held or committed for an order (INV-006)."""

from shared.inventory.events import HoldPartReleased, ReleasePart
from shared.inventory.holds import LIVE, Status, end, give_back, keep_part, lock_hold_and_stock, part_done
from shared.inventory.parts import part_of
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, hold_parts, holds, items, locations, stock
from shared.runtime import Work, on_event


@on_event(
    ReleasePart,
    reads=[locations],
    writes=[items, holds, hold_lines, hold_parts, stock],
    emits=[HoldPartReleased, *STATUS_EVENTS],
)
async def release_hold_part(command: ReleasePart, work: Work) -> None:
    """As much of it as is open. Once nothing is, the hold has ended as if it had been released whole."""
    order_id = command.order_id
    hold, stocked, lines = await lock_hold_and_stock(work, order_id)
    done = await part_done(work, command.part_id, order_id, "released")
    if done is None and hold and hold.status in LIVE:
        part = part_of(lines, command.lines)
        await keep_part(work, command.part_id, order_id, "released", part.allocated)
        await give_back(work, hold.status, stocked, part.lines)
        lines = part.rest(lines)
        if part.lines and not any(line.open for line in lines):
            shipped = any(line.shipped for line in lines)
            await end(work, [order_id], Status.SHIPPED if shipped else Status.RELEASED)
        done = part.allocated
    live = hold is not None and hold.status in LIVE and any(line.open for line in lines)
    work.emit(HoldPartReleased(order_id=order_id, part_id=command.part_id, lines=done or (), complete=not live))
