"""Book goods that came back of an order and may be sold again (INV-012, ORD-011)."""

from collections import Counter

from shared.inventory.events import AllocatedLine, GoodsRestocked, RestockGoods, RestockRefused
from shared.inventory.holds import keep_part, lock_hold, part_done
from shared.inventory.items import lock_items
from shared.inventory.ledger import LEDGER_EVENTS, Change, book
from shared.inventory.tables import hold_lines, hold_parts, holds, items, ledger, locations, stock
from shared.runtime import Work, on_event


@on_event(
    RestockGoods,
    reads=[locations, hold_lines],
    writes=[items, holds, hold_parts, stock, ledger],
    emits=[GoodsRestocked, RestockRefused, *LEDGER_EVENTS],
)
async def restock_goods(command: RestockGoods, work: Work) -> None:
    """Once for each `part_id`, at a location that need not be the one they left from."""
    order_id, part_id = command.order_id, command.part_id
    hold = await lock_hold(work, order_id)
    if hold is None:
        work.emit(RestockRefused(order_id=order_id, part_id=part_id, reason="no_hold"))
        return
    if (done := await part_done(work, part_id, order_id, "returned")) is not None:
        work.emit(GoodsRestocked(order_id=order_id, part_id=part_id, lines=done))
        return
    units: Counter[str] = Counter()
    for line in command.lines:
        units[line.sku] += line.quantity
    stocked = await lock_items(work, units, [(sku, command.location) for sku in units])
    changes = []
    for sku, quantity in sorted(units.items()):
        level = stocked[sku].at(command.location)
        if level is None or not level.open:
            work.emit(RestockRefused(order_id=order_id, part_id=part_id, reason="location_closed"))
            return
        if stocked[sku].tracked:
            changes.append(Change(level, quantity, "returned", note=command.reason, order_id=order_id))
    booked = tuple(
        AllocatedLine(sku=change.level.sku, location=change.level.location, quantity=change.delta) for change in changes
    )
    await keep_part(work, part_id, order_id, "returned", booked)
    work.emit(GoodsRestocked(order_id=order_id, part_id=part_id, lines=booked))
    if changes:
        await book(work, stocked, changes)
