"""Advance an order's saga by what inventory and payments answered (ORD-005, ORD-006, ORD-008)."""

from shared.orders.progress import advance, is_ours, lock
from shared.orders.saga import ASKED, CONSUMED, SAID, Answered
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.runtime import Work, on_event


@on_event(*CONSUMED, reads=[order_lines], writes=[orders, sagas, saga_moves], emits=[*ASKED, *SAID], warm=True)
async def advance_order(event: Answered, work: Work) -> None:
    """An answer that comes before its state is kept until then; one that comes too late changes nothing."""
    if not is_ours(event):
        return
    standing = await lock(work, event.order_id)
    if standing is not None:
        await advance(work, standing, event, work.cause.causation or "")
