"""Let goods leave for an order: all that is committed to it, or a part (INV-005)."""

from collections import Counter
from typing import Literal

from shared.inventory.events import HoldShipped, ShipHold, ShipmentRefused
from shared.inventory.holds import Hold, Status, end, keep_part, lock_hold_and_stock, part_done, ship_lines
from shared.inventory.items import Items
from shared.inventory.ledger import LEDGER_EVENTS, Change, book
from shared.inventory.parts import Part, part_of, whole
from shared.inventory.tables import hold_lines, hold_parts, holds, items, ledger, locations, stock
from shared.runtime import Work, on_event


@on_event(
    ShipHold,
    reads=[locations],
    writes=[items, holds, hold_lines, hold_parts, stock, ledger],
    emits=[HoldShipped, ShipmentRefused, *LEDGER_EVENTS],
)
async def ship_hold(command: ShipHold, work: Work) -> None:
    """What leaves is neither on hand nor committed any more. All of it leaves, or nothing."""
    order_id, part_id = command.order_id, command.part_id
    hold, stocked, lines = await lock_hold_and_stock(work, order_id)
    if (done := await part_done(work, part_id, order_id, "shipped")) is not None:
        complete = not any(line.open for line in lines)
        work.emit(HoldShipped(order_id=order_id, part_id=part_id, lines=done, complete=complete))
        return
    part = whole(lines) if command.lines is None else part_of(lines, command.lines)
    if refused := _refusal(command, hold, part, stocked):
        work.emit(refused)
        return
    await keep_part(work, part_id, order_id, "shipped", part.allocated)
    await ship_lines(work, order_id, part.lines)
    complete = not any(line.open for line in part.rest(lines))
    if complete:
        await end(work, [order_id], Status.SHIPPED)
    work.emit(HoldShipped(order_id=order_id, part_id=part_id, lines=part.allocated, complete=complete))
    changes = []
    for line in part.lines:
        level = stocked[line.sku].at(line.location)
        assert level is not None, "stock is never deleted"
        changes.append(Change(level, -line.open, "shipped", committed=line.open, order_id=order_id))
    if changes:
        await book(work, stocked, changes)


def _refusal(command: ShipHold, hold: Hold | None, part: Part, stocked: Items) -> ShipmentRefused | None:
    """What is promised may not be there: a shortfall, or a back-order that still waits."""
    missing: Counter[str] = Counter(part.missing)
    reason: Literal["not_committed", "not_open", "not_on_hand"] | None = None
    if hold is None or hold.status is not Status.COMMITTED:
        reason = "not_committed"
    elif missing:
        reason = "not_open"
    else:
        for line in part.lines:
            level = stocked[line.sku].at(line.location)
            if level is not None and level.on_hand < line.open:
                missing[line.sku] += line.open - level.on_hand
                reason = "not_on_hand"
    if reason is None:
        return None
    return ShipmentRefused(order_id=command.order_id, part_id=command.part_id, reason=reason, missing=dict(missing))
