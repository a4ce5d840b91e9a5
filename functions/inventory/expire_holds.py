"""Give back what was held too long (INV-006)."""

from shared.inventory.events import HoldExpired
from shared.inventory.holds import expire, lock_due
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Work, timer

AT_ONCE = 200
"""So many holds are ended by one tick: their stock stays locked until the commit."""


@timer(
    "*/5 * * * * *",
    reads=[locations],
    writes=[items, holds, hold_lines, stock],
    emits=[HoldExpired, *STATUS_EVENTS],
)
async def expire_holds(work: Work) -> None:
    """A tick that was missed is made up for by the next one: what is due is found by state."""
    orders = await lock_due(work, AT_ONCE)
    if not orders:
        return
    await expire(work, orders)
    for order_id in orders:
        work.emit(HoldExpired(order_id=order_id))
