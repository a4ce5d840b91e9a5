"""Tell an order's story in the order of time: saga moves, events, failures, dead letters (ORD-003)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, select, text

from shared.orders.problems import UnknownOrder
from shared.orders.tables import orders, saga_moves
from shared.platform.tables import attempts, dead_letters, outbox
from shared.runtime import Request, View, Work, http
from shared.runtime.log import redacted

OWNER = select(orders.c.customer_id).where(orders.c.id == bindparam("order_id"))

# A retry or a dead letter in the log is the same event again: attempts and dead_letters tell of those.
STORY = text("""
with events as (
  select position, id, source, type, topic, sequence, time, data from platform.outbox
  where key = cast(:order_id as text) and topic not like 'shop.retry.%' and topic not like 'shop.dead.%'
)
select at, kind, what, detail from (
  select time as at, 'event' as kind, type as what, position as n, jsonb_build_object(
    'id', id, 'source', source, 'topic', topic, 'sequence', sequence,
    'data', cast(convert_from(data, 'UTF8') as jsonb)) as detail
  from events
  union all
  select at, 'move', to_state, position, jsonb_build_object(
    'from', from_state, 'cause', cause, 'event_id', nullif(event_id, ''), 'asked', asked)
  from orders.saga_moves where order_id = :order_id
  union all
  select a.at, 'failure', a.consumer, e.position, jsonb_build_object(
    'event_id', e.id, 'type', e.type, 'attempts', a.attempts, 'error', a.last_error)
  from events e join platform.attempts a on a.source = e.source and a.event_id = e.id
  union all
  select received_at, 'dead-letter', consumer, 0, jsonb_build_object(
    'id', id, 'event_id', event_id, 'type', type, 'reason', reason, 'error', error, 'replays', replays,
    'replayed_at', replayed_at)
  from platform.dead_letters where key = cast(:order_id as text)
) as told
order by at, kind, n
limit 1000
""")


class GetTimeline(Request):
    order_id: UUID


class TimelineItem(BaseModel):
    """`what` is an event's type, the state that a saga moved to, or the function that failed."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: Literal["event", "move", "failure", "dead-letter"]
    what: str
    detail: dict[str, Any]


class Timeline(View):
    items: list[TimelineItem]


@http(
    "GET /v1/orders/{order_id}/timeline",
    role=("customer", "admin", "operator"),
    reads=[orders, saga_moves, outbox, attempts, dead_letters],
)
async def get_timeline(request: GetTimeline, work: Work) -> Timeline:
    """Payment tokens are never shown, and a function's own errors not to customers.

    Raises UnknownOrder, also for an order that is somebody else's.
    """
    insider = work.caller.has("admin", "operator")
    order = await work.db.one(OWNER, order_id=request.order_id)
    if order is None or not (insider or order.customer_id == work.caller.subject):
        raise UnknownOrder(order_id=request.order_id)
    rows = await work.db.all(STORY, order_id=request.order_id)
    hidden = frozenset() if insider else frozenset({"error"})
    return Timeline(
        items=[
            TimelineItem(at=row.at, kind=row.kind, what=row.what, detail=redacted(_without(row.detail, hidden)))
            for row in rows
        ]
    )


def _without(detail: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if name not in hidden}
