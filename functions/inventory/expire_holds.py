"""Give back what was held too long."""

from shared.inventory.events import HoldExpired, StockReplenished
from shared.inventory.holds import expire, lock_due
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Work, timer

AT_ONCE = 200
"""So many holds are ended by one tick: their stock stays locked until the commit."""


@timer(
    "*/5 * * * * *",
    reads=[hold_lines, items, locations],
    writes=[holds, stock],
    emits=[HoldExpired, StockReplenished],
)
async def expire_holds(work: Work) -> None:
    orders = await lock_due(work, AT_ONCE)
    if not orders:
        return
    await expire(work, orders)
    for order_id in orders:
        work.emit(HoldExpired(order_id=order_id))
