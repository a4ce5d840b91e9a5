"""Hold an order's stock for longer, as long as its buyer is busy with it (INV-005)."""

from datetime import timedelta

from shared.inventory.events import ExtendHold, HoldCommitted, HoldExpired, HoldExtended
from shared.inventory.holds import Status, extend, lock_hold
from shared.inventory.tables import holds
from shared.runtime import Work, on_event


@on_event(ExtendHold, writes=[holds], emits=[HoldExtended, HoldCommitted, HoldExpired])
async def extend_hold(command: ExtendHold, work: Work) -> None:
    """A hold whose time is over is not revived, even if nobody has given it back yet."""
    hold = await lock_hold(work, command.order_id)
    match hold and hold.status:
        case Status.COMMITTED | Status.SHIPPED:
            work.emit(HoldCommitted(order_id=command.order_id))
        case Status.HELD if hold and hold.expires_at > work.now:
            expires_at = max(hold.expires_at, work.now + timedelta(seconds=command.expires_in_s))
            await extend(work, command.order_id, expires_at)
            work.emit(HoldExtended(order_id=command.order_id, expires_at=expires_at))
        case _:
            work.emit(HoldExpired(order_id=command.order_id))
