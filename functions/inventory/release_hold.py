"""Give back what is held or committed for an order (INV-006)."""

from shared.inventory.events import HoldReleased, ReleaseHold
from shared.inventory.holds import LIVE, Status, end, give_back, lock_hold_and_stock, remember_released
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Work, on_event


@on_event(
    ReleaseHold,
    reads=[locations],
    writes=[items, holds, hold_lines, stock],
    emits=[HoldReleased, *STATUS_EVENTS],
)
async def release_hold(command: ReleaseHold, work: Work) -> None:
    """What has left is not given back.

    An order without a hold is remembered as released, so that a HoldStock that comes late holds nothing.
    """
    order_id = command.order_id
    hold, stocked, lines = await lock_hold_and_stock(work, order_id)
    if hold is None and not await remember_released(work, order_id):
        hold, stocked, lines = await lock_hold_and_stock(work, order_id)
    if hold and hold.status in LIVE:
        await give_back(work, hold.status, stocked, lines)
        shipped = any(line.shipped for line in lines)
        await end(work, [order_id], Status.SHIPPED if shipped else Status.RELEASED)
    work.emit(HoldReleased(order_id=order_id))
