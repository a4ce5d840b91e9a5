"""Advance orders' sagas by what inventory and payments answered (ORD-005, ORD-006, ORD-008)."""

from collections.abc import Sequence

from shared.orders.progress import lock_all
from shared.orders.saga import ASKED, CONSUMED, SAID, Answered
from shared.orders.tables import orders, saga_moves, sagas
from shared.runtime import Work, on_event


@on_event(*CONSUMED, writes=[orders, sagas, saga_moves], emits=[*ASKED, *SAID], warm=True, together=64)
async def advance_order(events: Sequence[Answered], work: Work) -> None:
    """An answer that comes before its state is kept until then; one that comes too late changes nothing."""
    locked = await lock_all(work, {event.order_id for event in events})
    for event in events:
        locked.advance(event)
    await locked.save()
