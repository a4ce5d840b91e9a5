"""Operators lead a saga on from where it is stuck: what all of these functions ask, check and keep."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.orders.audit import record
from shared.orders.problems import NoSteering, SagaHasMoved, UnknownOrder
from shared.orders.progress import Sagas, lock_all
from shared.orders.saga import Ending, State
from shared.runtime import Event, Request, View, Work
from shared.vocabulary import Line


class Steer(Request):
    """`state` is where the saga was seen to stand; nothing is done if it has moved since."""

    order_id: UUID
    state: State
    reason: Annotated[Line, Field(examples=["refunded by hand, see the bank's statement"])]


class SagaState(View):
    order_id: UUID
    state: State
    ending: Ending | None
    asked: int


async def seen(request: Steer, work: Work) -> Sagas:
    """The saga, locked. Raises UnknownOrder, SagaHasMoved."""
    locked = await lock_all(work, [request.order_id], with_order=True)
    at = locked.standings.get(request.order_id)
    if at is None:
        raise UnknownOrder(order_id=request.order_id)
    if at.state is not request.state:
        raise SagaHasMoved(order_id=request.order_id, state_now=at.state.value)
    return locked


async def steer(request: Steer, work: Work, action: str, what: type[Event]) -> SagaState:
    """Makes the move of `what` and keeps who asked for it, and why. Raises NoSteering, and what `seen` raises."""
    locked = await seen(request, work)
    if not locked.steer(request.order_id, what, request.reason):
        raise NoSteering(order_id=request.order_id, state_now=request.state.value)
    await locked.save()
    await record(work, action, request.order_id, reason=request.reason, state=request.state.value)
    return state_of(locked, request.order_id)


def state_of(locked: Sagas, order_id: UUID) -> SagaState:
    at = locked.standings[order_id]
    return SagaState(order_id=order_id, state=at.state, ending=at.ending, asked=at.asked)
