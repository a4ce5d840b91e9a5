"""List orders' sagas by where they stand and for how long, longest first (ORD-008)."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import TextClause, text

from shared.orders.saga import FINAL, NEEDS_ATTENTION, Ending, Payment, State
from shared.orders.tables import orders, sagas
from shared.runtime import Page, Paged, View, Work, http, key_of

UNDER_WAY = tuple(state for state in State if state not in FINAL or state is NEEDS_ATTENTION)


class ListSagas(Paged):
    """`state` may be repeated; without it those that have not ended, and those that need attention.

    `older_than_s`: where they stand for longer than that. `asked_at_least`: their command was sent so many times.
    """

    state: Annotated[tuple[State, ...], Field(max_length=len(State))] = UNDER_WAY
    older_than_s: Annotated[int, Field(ge=0, le=10 * 366 * 86_400)] = 0
    asked_at_least: Annotated[int, Field(ge=1, le=10**6)] = 1


class SagaSummary(View):
    """`since` is its last move; `deadline` when the command is sent again; `stuck` why a person is needed."""

    order_id: UUID
    number: str
    state: State
    ending: Ending | None
    reason: str | None
    payment: Payment
    stuck: str | None
    asked: int
    since: datetime
    deadline: datetime | None


@lru_cache(maxsize=64)
def _page(after: bool) -> TextClause:
    # What is under way has a deadline, and what is stuck has an index of its own: neither walks through all that ended.
    beyond = "and (s.updated_at, s.order_id) > (:time, :id)" if after else ""
    return text(f"""
select s.order_id, o.number, s.state, s.ending, s.reason, s.payment, s.stuck, s.asked, s.updated_at as since, s.deadline
from orders.sagas s join orders.orders o on o.id = s.order_id
where s.state = any(cast(:states as text[]))
  and (s.deadline is not null or s.state = any(cast(:ended as text[])))
  and s.updated_at <= now() - make_interval(secs => :age) and s.asked >= :asked {beyond}
order by s.updated_at, s.order_id limit :count
""").execution_options(planned="anew")  # noqa: S608 - of constants


@http("GET /v1/admin/sagas", role=("admin", "operator"), reads=[orders, sagas])
async def list_sagas(request: ListSagas, work: Work) -> Page[SagaSummary]:
    bound: dict[str, object] = {}
    if key := key_of(request.cursor, datetime.fromisoformat, UUID):
        bound = {"time": key[0], "id": key[1]}
    states = request.state or UNDER_WAY
    rows = await work.db.all(
        _page(bool(bound)),
        states=list(states),
        ended=[state for state in states if state in FINAL],
        age=request.older_than_s,
        asked=request.asked_at_least,
        count=request.limit + 1,
        **bound,
    )
    shown = [SagaSummary.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].since, shown[-1].order_id) if len(rows) > request.limit else None)
