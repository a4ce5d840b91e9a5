"""Hold stock for every line of an order, or for none, or what is possible (INV-005, INV-008)."""

from collections import Counter
from datetime import timedelta

from shared.inventory.allocation import allocate
from shared.inventory.events import AllocatedLine, HoldExpired, HoldRejected, HoldStock, StockHeld
from shared.inventory.holds import Status, lack, lines_of, lock_hold, open_hold, take
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, holds, items, locations, policy, stock
from shared.runtime import Event, Work, on_event


@on_event(
    HoldStock,
    reads=[locations, policy],
    writes=[items, stock, holds, hold_lines],
    emits=[StockHeld, HoldRejected, HoldExpired, *STATUS_EVENTS],
    warm=True,
)
async def hold_stock(command: HoldStock, work: Work) -> None:
    """A shortage is an answer, not an error: the order's saga decides what it means. A SKU never heard of is short.

    An order that has a hold already is answered as before, and nothing more is held for it.
    """
    order_id = command.order_id
    demand: Counter[str] = Counter()
    for line in command.lines:
        demand[line.sku] += line.quantity
    expires_at = work.now + timedelta(seconds=command.expires_in_s)
    opened = await open_hold(work, order_id, sorted(demand), expires_at)
    if opened is None:
        work.emit(await _answer_again(command, work))
        return
    tracked = {sku: quantity for sku, quantity in demand.items() if opened.items[sku].tracked}
    offers = [level for level in opened.levels if _serves(level.ships_to, command.ship_to)]
    taken, missing = allocate(tracked, offers, command.allocation or opened.rule)
    if missing and not (command.partial and (taken or len(tracked) < len(demand))):
        await lack(work, order_id, Status.REJECTED, missing)
        work.emit(HoldRejected(order_id=order_id, shortages=missing))
        return
    lines = tuple(AllocatedLine(**one._asdict()) for one in sorted(taken))
    work.emit(StockHeld(order_id=order_id, expires_at=expires_at, allocations=lines, shortages=missing))
    if missing:
        await lack(work, order_id, Status.HELD, missing)
    if taken:
        await take(work, order_id, opened.items, taken)


def _serves(ships_to: list[str] | None, country: str | None) -> bool:
    return ships_to is None or country is None or country in ships_to


async def _answer_again(command: HoldStock, work: Work) -> Event:
    """A released order is refused, not told of its release: whoever asks for a hold waits for a yes or a no."""
    order_id = command.order_id
    hold = await lock_hold(work, order_id)
    assert hold is not None, "a hold is never deleted"
    match hold.status:
        case Status.HELD | Status.COMMITTED | Status.SHIPPED:
            lines = await lines_of(work, [order_id])
            return StockHeld(
                order_id=order_id,
                expires_at=hold.expires_at,
                allocations=tuple(
                    AllocatedLine(
                        sku=line.sku, location=line.location, quantity=line.quantity, backordered=line.backordered
                    )
                    for line in lines
                ),
                shortages=hold.shortages or {},
            )
        case Status.REJECTED:
            return HoldRejected(order_id=order_id, shortages=hold.shortages or {})
        case Status.RELEASED:
            return HoldRejected(order_id=order_id, shortages={}, reason="released")
        case Status.EXPIRED:
            return HoldExpired(order_id=order_id)
