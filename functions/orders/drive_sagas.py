"""Drive on the sagas whose answer is overdue: send the command again, or call an operator (ORD-006, ORD-008)."""

from sqlalchemy import text

from shared.inventory.events import HoldStock
from shared.orders.events import SagaStuck
from shared.orders.progress import command, hold_commands, lock_all, overdue
from shared.orders.saga import ASKED, AWAITING_CUSTOMER, WAITS_FOR
from shared.orders.tables import order_lines, orders, saga_moves, sagas
from shared.runtime import Work, timer

DUE = text("""
select order_id from orders.sagas where deadline <= :now order by deadline limit 100 for update skip locked
""")

ASKED_AGAIN = text("""
update orders.sagas s set asked = s.asked + 1, deadline = n.deadline
from unnest(cast(:orders as uuid[]), cast(:deadlines as timestamptz[])) as n (order_id, deadline)
where s.order_id = n.order_id
""")

CALL_AN_OPERATOR_AFTER = 12


@timer("*/10 * * * * *", reads=[order_lines, orders], writes=[sagas, saga_moves], emits=[*ASKED, SagaStuck])
async def drive_sagas(work: Work) -> None:
    """The command keeps its key: who has answered it already answers the same again."""
    due = [row.order_id for row in await work.db.all(DUE, now=work.now)]
    if not due:
        return
    standings = (await lock_all(work, due)).standings
    waiting = {order_id: at for order_id, at in standings.items() if WAITS_FOR[at.state] is HoldStock}
    holds = await hold_commands(work, waiting) if waiting else {}
    for order_id, at in standings.items():
        work.emit(holds.get(order_id) or command(at, WAITS_FOR[at.state]))
        if at.asked == CALL_AN_OPERATOR_AFTER and at.state is not AWAITING_CUSTOMER:
            work.emit(SagaStuck(order_id=order_id, state=at.state.value, reason="no answer"))
    await work.db.send(
        ASKED_AGAIN,
        orders=list(standings),
        deadlines=[work.now + overdue(at.asked) for at in standings.values()],
    )
