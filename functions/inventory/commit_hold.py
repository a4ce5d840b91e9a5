"""Keep what is held for an order, once it is paid for (INV-005)."""

from shared.inventory.events import CommitHold, HoldCommitted, HoldExpired
from shared.inventory.holds import Status, commit, expire, lock_hold
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Work, on_event


@on_event(
    CommitHold,
    reads=[locations],
    writes=[items, holds, hold_lines, stock],
    emits=[HoldCommitted, HoldExpired, *STATUS_EVENTS],
    warm=True,
)
async def commit_hold(command: CommitHold, work: Work) -> None:
    """A hold whose time is over is given back here and now, so that the answer is true whenever the timer comes.

    What has left already was committed. Anything else is answered as expired: there is nothing to commit.
    """
    hold = await lock_hold(work, command.order_id)
    match hold and hold.status:
        case Status.COMMITTED | Status.SHIPPED:
            work.emit(HoldCommitted(order_id=command.order_id))
        case Status.HELD if hold and hold.expires_at > work.now:
            await commit(work, command.order_id)
            work.emit(HoldCommitted(order_id=command.order_id))
        case Status.HELD:
            await expire(work, [command.order_id])
            work.emit(HoldExpired(order_id=command.order_id))
        case _:
            work.emit(HoldExpired(order_id=command.order_id))
