"""List what was asked of inventory and payments beyond the checkout and is not done, oldest first (ORD-008)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.fulfilment_tables import steps
from shared.orders.fulfilment_views import STEP, StepView
from shared.orders.steps import OPEN, Kind, State
from shared.runtime import Page, Paged, Work, http, key_of

UNDER_WAY = tuple(sorted(OPEN))

_REST = """
  and state = any(cast(:states as text[])) and kind = any(cast(:kinds as text[]))
  and (updated_at, id) > (coalesce(cast(:time as timestamptz), '-infinity'), cast(:id as uuid))
order by updated_at, id limit :count
"""
# What is open has an index of its own, and an order has few steps: nothing walks through all that ever were.
UNSETTLED = text(f"{STEP} where (deadline is not null or state = 'needs_attention') {_REST}").execution_options(
    planned="anew"
)
OF_ORDER = text(f"{STEP} where order_id = :order_id {_REST}")


class ListSteps(Paged):
    """`state` and `kind` may be repeated. Those of an order in any state; of all orders those that are open."""

    state: Annotated[tuple[State, ...], Field(max_length=len(State))] = ()
    kind: Annotated[tuple[Kind, ...], Field(max_length=len(Kind))] = ()
    order_id: UUID | None = None


@http("GET /v1/admin/steps", role=("admin", "operator"), reads=[steps])
async def list_steps(request: ListSteps, work: Work) -> Page[StepView]:
    time, id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, UUID(int=0))
    bound = {} if request.order_id is None else {"order_id": request.order_id}
    rows = await work.db.all(
        OF_ORDER if bound else UNSETTLED,
        states=list(request.state or (tuple(State) if bound else UNDER_WAY)),
        kinds=list(request.kind or tuple(Kind)),
        time=time,
        id=id,
        count=request.limit + 1,
        **bound,
    )
    found = [StepView.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(found, (found[-1].updated_at, found[-1].id) if len(rows) > request.limit else None)
