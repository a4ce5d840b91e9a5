"""What happened to an order, told by the tables of those who did it: at, kind, what, n and detail of each."""

# A retry or a dead letter in the log is the same event again: attempts and dead_letters tell of those.
EVENTS_OF_ORDER = """
events as (
  select position, id, source, type, topic, sequence, time, correlationid, causationid, traceparent, data
  from platform.outbox
  where key = cast(:order_id as text) and topic not like 'shop.retry.%' and topic not like 'shop.dead.%'
)
"""

EVENT = """
select time as at, 'event' as kind, type as what, position as n, jsonb_build_object(
  'id', id, 'source', source, 'topic', topic, 'sequence', sequence,
  'data', cast(convert_from(data, 'UTF8') as jsonb)) as detail
from events
"""

TRACED_EVENT = """
select time as at, 'event' as kind, type as what, position as n, jsonb_build_object(
  'id', id, 'source', source, 'topic', topic, 'sequence', sequence, 'correlation', correlationid,
  'because', causationid, 'trace', split_part(traceparent, '-', 2),
  'data', cast(convert_from(data, 'UTF8') as jsonb)) as detail
from events
"""

MOVE = """
select at, 'move', to_state, position, jsonb_build_object(
  'from', from_state, 'cause', cause, 'event_id', nullif(event_id, ''), 'asked', asked)
from orders.saga_moves where order_id = :order_id
"""

FAILURE = """
select a.at, 'failure', a.consumer, e.position, jsonb_build_object(
  'event_id', e.id, 'type', e.type, 'attempts', a.attempts, 'error', a.last_error)
from events e join platform.attempts a on a.source = e.source and a.event_id = e.id
"""

DEAD_LETTER = """
select received_at, 'dead-letter', consumer, 0, jsonb_build_object(
  'id', id, 'event_id', event_id, 'type', type, 'reason', reason, 'error', error, 'replays', replays,
  'replayed_at', replayed_at)
from platform.dead_letters where key = cast(:order_id as text)
"""

# An attempt is told twice: when the provider was asked, and when it was settled.
PAYMENT = """
select a.created_at, 'payment', a.operation, 0, jsonb_build_object(
  'key', a.key, 'amount_minor', a.amount_minor, 'state', a.state, 'queries', a.queries)
from payments.attempts a where a.order_id = :order_id
union all
select a.finished_at, 'payment', a.operation || ' ' || a.state, 1, jsonb_build_object(
  'key', a.key, 'code', a.code, 'provider_id', a.provider_id)
from payments.attempts a where a.order_id = :order_id and a.finished_at is not null
"""

NOTE = """
select at, 'note', actor, id, jsonb_build_object('text', text, 'erased_at', erased_at)
from orders.notes where order_id = :order_id
"""

ACT = """
select at, 'act', action, id, jsonb_build_object('actor', actor, 'reason', reason) || detail
from orders.audit where order_id = :order_id
"""


def story(*parts: str, limit: int = 1000) -> str:
    """The parts as one select, in the order of time."""
    return f"""
with {EVENTS_OF_ORDER}
select at, kind, what, detail from ({" union all ".join(parts)}) as told
order by at, kind, n
limit {limit}
"""  # noqa: S608 - of constants
