"""Hold stock for every line of an order, or for none (INV-005, INV-008)."""

from collections import Counter
from datetime import timedelta

from shared.inventory.allocation import Shortage, allocate
from shared.inventory.events import (
    AllocatedLine,
    HoldExpired,
    HoldRejected,
    HoldStock,
    StockDepleted,
    StockHeld,
    StockLow,
)
from shared.inventory.holds import Status, lines_of, lock_hold, open_hold, reject, take
from shared.inventory.status import tell
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Event, Work, on_event


@on_event(
    HoldStock,
    reads=[items, locations],
    writes=[stock, holds, hold_lines],
    emits=[StockHeld, HoldRejected, HoldExpired, StockLow, StockDepleted],
    warm=True,
)
async def hold_stock(command: HoldStock, work: Work) -> None:
    """A shortage is an answer, not an error: the order's saga decides what it means. A SKU never heard of is short.

    An order that has a hold already is answered as before, and nothing more is held for it.
    """
    demand: Counter[str] = Counter()
    for line in command.lines:
        demand[line.sku] += line.quantity
    expires_at = work.now + timedelta(seconds=command.expires_in_s)
    offer = await open_hold(work, command.order_id, sorted(demand), expires_at)
    if offer is None:
        work.emit(await _answer_again(command, work))
        return
    tracked = {sku: quantity for sku, quantity in demand.items() if offer.standings[sku].tracked}
    allocated = allocate(tracked, offer.levels)
    if isinstance(allocated, Shortage):
        await reject(work, command.order_id, allocated.missing)
        work.emit(HoldRejected(order_id=command.order_id, shortages=allocated.missing))
        return
    if allocated:
        await take(work, command.order_id, allocated)
    lines = (AllocatedLine(**taken._asdict()) for taken in sorted(allocated))
    work.emit(StockHeld(order_id=command.order_id, expires_at=expires_at, allocations=tuple(lines)))
    for sku, quantity in tracked.items():
        tell(work, offer.standings[sku], offer.standings[sku].plus(-quantity))


async def _answer_again(command: HoldStock, work: Work) -> Event:
    """A released order is refused, not told of its release: whoever asks for a hold waits for a yes or a no."""
    hold = await lock_hold(work, command.order_id)
    assert hold is not None, "a hold is never deleted"
    match hold.status:
        case Status.HELD | Status.COMMITTED:
            lines = (AllocatedLine(**row._asdict()) for row in await lines_of(work, command.order_id))
            return StockHeld(order_id=command.order_id, expires_at=hold.expires_at, allocations=tuple(lines))
        case Status.REJECTED:
            return HoldRejected(order_id=command.order_id, shortages=hold.shortages or {})
        case Status.RELEASED:
            return HoldRejected(order_id=command.order_id, shortages={}, reason="released")
        case Status.EXPIRED:
            return HoldExpired(order_id=command.order_id)
