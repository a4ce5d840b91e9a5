"""Have a saga go on as if its void or refund had been done: a person has done it by hand (ORD-008)."""

from shared.inventory.events import ReleaseHold
from shared.orders.events import SagaSkipped
from shared.orders.steering import SagaState, Steer, steer
from shared.orders.tables import audit, orders, saga_moves, sagas
from shared.runtime import Work, http


@http(
    "POST /v1/admin/sagas/{order_id}/skip",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    writes=[orders, sagas, saga_moves, audit],
    emits=[SagaSkipped, ReleaseHold],
)
async def skip_saga_step(request: Steer, work: Work) -> SagaState:
    """Raises UnknownOrder; SagaHasMoved; NoSteering where no void or refund is awaited or was refused."""
    return await steer(request, work, "saga.skipped", SagaSkipped)
