"""Send a step's command again now: anew where it was refused, under its key where its answer is awaited (ORD-008)."""

from uuid import UUID

from shared.orders.audit import record
from shared.orders.fulfilling import SAID
from shared.orders.fulfilment_problems import NotFailed
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, steps
from shared.orders.fulfilment_views import StepView, read_step
from shared.orders.paying_back import Location
from shared.orders.step_steering import lock_step
from shared.orders.steps import ANSWER_WITHIN, ASKED, COMMANDS, NEEDS_ATTENTION, RESTOCK, overdue
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


class RetryStep(Request):
    """`location` is where goods are restocked instead."""

    step_id: UUID
    reason: Line
    location: Location | None = None


@http(
    "POST /v1/admin/steps/{step_id}/retry",
    status=202,
    role=("admin", "operator"),
    idempotent=True,
    writes=[orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, audit],
    emits=[*COMMANDS, *SAID],
)
async def retry_step(request: RetryStep, work: Work) -> StepView:
    """Raises UnknownStep; NotFailed where nothing is to be done any more, or a refund is: that has its own retry."""
    locked, order, step = await lock_step(work, request.step_id)
    if step.state is NEEDS_ATTENTION:
        if step.kind is RESTOCK:
            step.location = request.location or step.location
        step.ask_anew(work.now + ANSWER_WITHIN)
    elif step.state is ASKED:
        step.asked, step.deadline = step.asked + 1, work.now + overdue(step.asked)
    else:
        raise NotFailed(status_now=step.state)
    locked.changed_steps[step.id] = step
    locked.touch(order)
    work.emit(step.command)
    await locked.save()
    await record(work, "step.retried", order.id, reason=request.reason, step_id=str(step.id), kind=step.kind.value)
    return await read_step(work, step.id)
