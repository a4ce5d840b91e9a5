"""The transactional outbox: events become rows of the transaction that they tell of.

`sequence` is contiguous per stream (topic, key): the stream's row is locked from here to the commit, so commit order is
sequence order. Streams are locked in key order.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from shared.runtime import ids
from shared.runtime.db import Db
from shared.runtime.events import JSON, Envelope, Event, partition_of
from shared.runtime.pipeline import Pending

if TYPE_CHECKING:
    from shared.runtime.work import Cause

NOTIFY = text("notify outbox")

LEAVE = text("""
with emitted as (
  select * from rows from (
    json_to_recordset(cast(:events as json))
      as (id text, type text, subject text, topic text, partition smallint, key text, later int, data text,
        correlation text, causation text, traceparent text, source text, extensions json)
  ) with ordinality
    as e (id, type, subject, topic, partition, key, later, data, correlation, causation, traceparent, source,
      extensions, n)
), heads as (
  insert into platform.streams as s (topic, key, sequence)
  select topic, key, count(*) from emitted group by topic, key order by topic, key
  on conflict (topic, key) do update set sequence = s.sequence + excluded.sequence
  returning topic, key, sequence
), entered as (
  insert into platform.outbox
    (id, source, type, subject, topic, partition, key, sequence, time, correlationid, causationid, traceparent,
     extensions, content_type, data)
  select e.id, coalesce(e.source, :source), e.type, e.subject, e.topic, e.partition, e.key, h.sequence - e.later,
    clock_timestamp(), e.correlation, e.causation, e.traceparent, cast(e.extensions as jsonb), :content_type,
    convert_to(e.data, 'UTF8')
  from emitted e join heads h on h.topic = e.topic and h.key = e.key
  order by e.n
)
select topic, key, sequence, pg_notify('outbox', '') from heads
""")

REDELIVER = text("""
insert into platform.outbox
  (id, source, type, subject, topic, partition, key, sequence, time, correlationid, causationid, traceparent,
   extensions, content_type, data)
values
  (:id, :source, :type, :subject, :topic, :partition, :key, :sequence, :time, :correlationid, :causationid,
   :traceparent, cast(:extensions as jsonb), :content_type, :data)
""")


def leave(
    db: Db,
    source: str,
    events: Sequence[Event],
    causes: Sequence["Cause"],
    passed_on: Mapping[int, Envelope] = MappingProxyType({}),
) -> Pending:
    """Enqueues the rows, each with its cause, and their notification; their failure shows at commit.

    `passed_on` are, by their place, those that somebody else has said: they stay as they were said.
    The result, there for whoever wants it after the commit, is the last sequence of each stream.
    """
    remaining = Counter((event.topic, event.key) for event in events)
    rows = []
    for place, (event, cause) in enumerate(zip(events, causes, strict=True)):
        remaining[event.topic, event.key] -= 1
        row: dict[str, Any] = {
            "id": ids.new_id(),
            "type": event.type,
            "subject": event.subject,
            "topic": event.topic,
            "partition": partition_of(event.key),
            "key": event.key,
            "later": remaining[event.topic, event.key],
            "data": event.model_dump_json(),
            "correlation": cause.correlation,
            "causation": cause.causation,
            "traceparent": cause.traceparent,
        }
        if (said := passed_on.get(place)) is not None:
            row |= _as_said(said, cause)
        rows.append(row)
    return db.enqueue(
        LEAVE,
        events=orjson.dumps(rows).decode(),
        source=source,
        content_type=JSON,
    )


def _as_said(envelope: Envelope, cause: "Cause") -> dict[str, Any]:
    """The row's `time` is when it was written, as of every row; the event's own goes among the extensions."""
    return {
        "id": envelope.id,
        "source": envelope.source,
        "data": envelope.data.decode(),
        "correlation": envelope.correlationid or cause.correlation,
        "causation": envelope.causationid,
        "extensions": dict(envelope.extensions) | ({} if envelope.time is None else {"time": envelope.time}),
    }
