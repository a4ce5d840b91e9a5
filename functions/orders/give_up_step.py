"""Give up a step that was refused, because a person has seen to it, so that its order can be completed (ORD-008)."""

from uuid import UUID

from shared.orders.audit import record
from shared.orders.fulfilling import SAID
from shared.orders.fulfilment_problems import NotFailed
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, steps
from shared.orders.fulfilment_views import StepView, read_step
from shared.orders.step_steering import lock_step
from shared.orders.steps import CAPTURE, GIVEN_UP, NEEDS_ATTENTION, VOID
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.payments.events import VoidPayment
from shared.runtime import Request, Work, http
from shared.vocabulary import Line


class GiveUpStep(Request):
    step_id: UUID
    reason: Line


@http(
    "POST /v1/admin/steps/{step_id}/give-up",
    role=("admin", "operator"),
    idempotent=True,
    writes=[orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, audit],
    emits=[VoidPayment, *SAID],
)
async def give_up_step(request: GiveUpStep, work: Work) -> StepView:
    """What a shipment could not take is voided: it is not bound to the order any more.

    Raises UnknownStep; NotFailed unless it needs attention.
    """
    locked, order, step = await lock_step(work, request.step_id)
    if step.state is not NEEDS_ATTENTION:
        raise NotFailed(status_now=step.state)
    locked.settle(order, step, GIVEN_UP, step.answer)
    if step.kind is CAPTURE:
        locked.ask(order, VOID, source=step.source, reason=request.reason, amount_minor=step.amount_minor)
    await locked.save()
    await record(work, "step.given_up", order.id, reason=request.reason, step_id=str(step.id), kind=step.kind.value)
    return await read_step(work, step.id)
