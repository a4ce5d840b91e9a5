"""Turn a saga back that cannot go forward: the order is cancelled, and what was taken is given back (ORD-008)."""

from shared.inventory.events import ReleaseHold
from shared.orders.events import OrderCancelling
from shared.orders.problems import NoSteering
from shared.orders.saga import FINAL
from shared.orders.steering import SagaState, Steer, seen, steer
from shared.orders.tables import audit, orders, saga_moves, sagas
from shared.payments.events import RefundPayment, VoidPayment
from shared.runtime import Work, http


@http(
    "POST /v1/admin/sagas/{order_id}/compensate",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    writes=[orders, sagas, saga_moves, audit],
    emits=[OrderCancelling, VoidPayment, RefundPayment, ReleaseHold],
)
async def compensate_saga(request: Steer, work: Work) -> SagaState:
    """Raises UnknownOrder; SagaHasMoved; NoSteering where it has ended, or is being compensated already."""
    await seen(request, work)
    if request.state in FINAL:
        raise NoSteering(order_id=request.order_id, state_now=request.state.value)
    return await steer(request, work, "saga.compensated", OrderCancelling)
