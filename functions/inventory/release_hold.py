"""Give back what is held or committed for an order."""

from shared.inventory.events import HoldReleased, ReleaseHold
from shared.inventory.holds import Status, lock_hold, release, remember_released
from shared.inventory.tables import hold_lines, holds, stock
from shared.runtime import Work, on_event


@on_event(ReleaseHold, reads=[hold_lines], writes=[holds, stock], emits=[HoldReleased])
async def release_hold(command: ReleaseHold, work: Work) -> None:
    """An order without a hold is remembered as released, so that a HoldStock that comes late holds nothing."""
    hold = await lock_hold(work, command.order_id)
    if hold is None and not await remember_released(work, command.order_id):
        hold = await lock_hold(work, command.order_id)
    if hold and hold.status in (Status.HELD, Status.COMMITTED):
        await release(work, command.order_id, hold.status)
    work.emit(HoldReleased(order_id=command.order_id))
