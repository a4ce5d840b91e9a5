"""Drive on the sagas whose answer is overdue: send the command again, or call an operator (ORD-006, ORD-008)."""

from sqlalchemy import text

from shared.orders.events import SagaStuck
from shared.orders.progress import command, lock, overdue
from shared.orders.saga import ASKED, WAITS_FOR
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.runtime import Work, timer

DUE = text("""
select order_id from orders.sagas where deadline <= :now order by deadline limit 100 for update skip locked
""")

ASKED_AGAIN = text("update orders.sagas set asked = asked + 1, deadline = :deadline where order_id = :order_id")

CALL_AN_OPERATOR_AFTER = 12


@timer("*/10 * * * * *", reads=[order_lines, orders], writes=[sagas, saga_moves], emits=[*ASKED, SagaStuck])
async def drive_sagas(work: Work) -> None:
    """The command keeps its key: who has answered it already answers the same again."""
    for row in await work.db.all(DUE, now=work.now):
        standing = await lock(work, row.order_id)
        if standing is None:
            continue
        work.emit(await command(work, standing, WAITS_FOR[standing.state]))
        if standing.asked == CALL_AN_OPERATOR_AFTER:
            work.emit(SagaStuck(order_id=row.order_id, state=standing.state.value, reason="no answer"))
        await work.db.send(ASKED_AGAIN, order_id=row.order_id, deadline=work.now + overdue(standing.asked))
