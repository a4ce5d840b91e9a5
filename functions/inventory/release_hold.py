"""Give back what is held or committed for an order."""

from shared.inventory.events import HoldReleased, ReleaseHold, StockReplenished
from shared.inventory.holds import Status, lock_hold_and_stock, release, remember_released
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Work, on_event


@on_event(
    ReleaseHold,
    reads=[hold_lines, items, locations],
    writes=[holds, stock],
    emits=[HoldReleased, StockReplenished],
)
async def release_hold(command: ReleaseHold, work: Work) -> None:
    """An order without a hold is remembered as released, so that a HoldStock that comes late holds nothing."""
    hold, returns = await lock_hold_and_stock(work, command.order_id)
    if hold is None and not await remember_released(work, command.order_id):
        hold, returns = await lock_hold_and_stock(work, command.order_id)
    if hold and hold.status in (Status.HELD, Status.COMMITTED):
        await release(work, command.order_id, hold.status, returns)
    work.emit(HoldReleased(order_id=command.order_id))
