"""Keep what is held for an order, once it is paid for (INV-005)."""

from collections.abc import Sequence

from shared.inventory.events import CommitHold, HoldCommitted, HoldExpired
from shared.inventory.holds import Status, commit, expire, lock_holds, lock_stock
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Work, on_event

KEPT = (Status.COMMITTED, Status.SHIPPED)


@on_event(
    CommitHold,
    reads=[locations],
    writes=[items, holds, hold_lines, stock],
    emits=[HoldCommitted, HoldExpired, *STATUS_EVENTS],
    warm=True,
    together=64,
)
async def commit_hold(commands: Sequence[CommitHold], work: Work) -> None:
    """A hold whose time is over is given back here and now, so that the answer is true whenever the timer comes.

    What has left already was committed. Anything else is answered as expired: there is nothing to commit.
    """
    known = await lock_holds(work, {command.order_id for command in commands})
    held = {order_id: hold.expires_at > work.now for order_id, hold in known.items() if hold.status is Status.HELD}
    living = [order_id for order_id, lives in held.items() if lives]
    over = [order_id for order_id, lives in held.items() if not lives]
    if living and over:
        await lock_stock(work, list(held))
    if living:
        await commit(work, living)
    if over:
        await expire(work, over)
    for command in commands:
        hold = known.get(command.order_id)
        kept = hold is not None and (hold.status in KEPT or held.get(command.order_id, False))
        answer = HoldCommitted if kept else HoldExpired
        work.emit(answer(order_id=command.order_id), because=command)
