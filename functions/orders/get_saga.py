"""Show one saga: its steps, their commands, their answers, and how long each took (ORD-008)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.orders.problems import UnknownOrder
from shared.orders.saga import WAITS_FOR, Ending, Payment, State
from shared.orders.tables import orders, saga_moves, sagas
from shared.runtime import Request, View, Work, http

SAGA = text("""
select s.order_id, o.number, o.status, s.state, s.ending, s.reason, s.payment, s.stuck, s.asked, s.deadline, s.tries,
  s.updated_at as since,
  (select coalesce(jsonb_agg(jsonb_build_object('position', m.position, 'state', m.to_state, 'began_at', m.at,
      'cause', m.cause, 'event_id', nullif(m.event_id, ''), 'asked_for', m.asked, 'answer', n.cause,
      'took_s', extract(epoch from n.at - m.at)) order by m.position), '[]')
    from orders.saga_moves m
    left join orders.saga_moves n on n.order_id = m.order_id and n.position = m.position + 1
    where m.order_id = s.order_id) as steps,
  (select coalesce(jsonb_agg(e ->> 'type'), '[]') from jsonb_array_elements(s.early) as e) as early
from orders.sagas s join orders.orders o on o.id = s.order_id
where s.order_id = :order_id
""")


class GetSaga(Request):
    order_id: UUID


class Step(View):
    """The saga came to `state` by `cause`, and sent the command `asked_for`; `answer` led on after `took_s` seconds."""

    position: int
    state: State
    began_at: datetime
    cause: str
    event_id: str | None
    asked_for: str | None
    answer: str | None
    took_s: float | None


class SagaView(View):
    """`waits_for` is the command whose answer is awaited, sent `asked` times and again at `deadline`.

    `tries` says how often a payment command was begun under a new key, by its name. `early` are the types of answers
    that are kept until their state is there.
    """

    order_id: UUID
    number: str
    status: str
    state: State
    ending: Ending | None
    reason: str | None
    payment: Payment
    stuck: str | None
    waits_for: str | None
    asked: int
    deadline: datetime | None
    since: datetime
    tries: dict[str, int]
    early: list[str]
    steps: list[Step]


@http("GET /v1/admin/sagas/{order_id}", role=("admin", "operator"), reads=[orders, sagas, saga_moves])
async def get_saga(request: GetSaga, work: Work) -> SagaView:
    """Raises UnknownOrder."""
    row = await work.db.one(SAGA, order_id=request.order_id)
    if row is None:
        raise UnknownOrder(order_id=request.order_id)
    awaited = WAITS_FOR.get(State(row.state))
    return SagaView.model_validate({**row._asdict(), "waits_for": awaited and awaited.__name__})
