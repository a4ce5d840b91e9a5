"""Have a saga's step tried again now: its command is sent again, or anew where it was refused for good (ORD-008)."""

from sqlalchemy import text

from shared.inventory.events import HoldStock
from shared.orders.audit import record
from shared.orders.events import SagaRetried
from shared.orders.problems import NoSteering
from shared.orders.progress import command, hold_commands, overdue
from shared.orders.saga import ASKED, NEEDS_ATTENTION, WAITS_FOR
from shared.orders.steering import SagaState, Steer, seen, state_of, steer
from shared.orders.tables import audit, order_lines, orders, saga_moves, sagas
from shared.runtime import Work, http

ASKED_NOW = text("update orders.sagas set asked = asked + 1, deadline = :deadline where order_id = :order_id")


@http(
    "POST /v1/admin/sagas/{order_id}/retry",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    reads=[order_lines],
    writes=[orders, sagas, saga_moves, audit],
    emits=[SagaRetried, *ASKED],
)
async def retry_saga(request: Steer, work: Work) -> SagaState:
    """While an answer is awaited the command keeps its key: what has been done is not done again.

    Raises UnknownOrder; SagaHasMoved; NoSteering where nothing is awaited.
    """
    if request.state is NEEDS_ATTENTION:
        return await steer(request, work, "saga.retried", SagaRetried)
    locked = await seen(request, work)
    order_id, at = request.order_id, locked.standings[request.order_id]
    kind = WAITS_FOR.get(at.state)
    if kind is None:
        raise NoSteering(order_id=order_id, state_now=at.state.value)
    if kind is HoldStock:
        work.emit((await hold_commands(work, {order_id: at}))[order_id])
    else:
        work.emit(command(at, kind))
    work.emit(SagaRetried(order_id=order_id, state=at.state.value, reason=request.reason))
    await work.db.send(ASKED_NOW, order_id=order_id, deadline=work.now + overdue(at.asked))
    await record(work, "saga.retried", order_id, reason=request.reason, state=at.state.value)
    return state_of(locked, order_id).model_copy(update={"asked": at.asked + 1})
