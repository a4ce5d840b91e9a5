"""One effect per (consumer, event): the inbox row comes first in the effect's transaction.

A handler's failures are counted in transactions of their own; after `parked_after` of them the event is parked for an
operator, so that it no longer holds up its partition.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import text

from shared.runtime import metrics
from shared.runtime.auth import Caller
from shared.runtime.db import Database, Db
from shared.runtime.declare import Declaration
from shared.runtime.events import Envelope
from shared.runtime.log import logger, redacted
from shared.runtime.pipeline import Row
from shared.runtime.work import Cause, Claim, unit_of_work

FIRST = text("""
insert into platform.inbox (consumer, source, event_id) values (:consumer, :source, :event_id)
on conflict do nothing returning true
""")

# Two functions' processes may take the same events in another order: they wait for each other in one.
FIRST_OF_MANY = text("""
with first as (
  insert into platform.inbox (consumer, source, event_id)
  select :consumer, source, event_id
  from unnest(cast(:sources as text[]), cast(:event_ids as text[])) as e (source, event_id)
  order by source, event_id
  on conflict do nothing returning source, event_id
)
select array_agg(source) as sources, array_agg(event_id) as event_ids from first
""")

APPLIED = text(
    "select true from platform.inbox where consumer = :consumer and source = :source and event_id = :event_id"
)

APPLIED_OF_MANY = text("""
select array_agg(source) as sources, array_agg(event_id) as event_ids from platform.inbox
where consumer = :consumer and (source, event_id) in (
  select source, event_id from unnest(cast(:sources as text[]), cast(:event_ids as text[])) as e (source, event_id))
""")

COUNT = text("""
insert into platform.attempts as a (consumer, source, event_id, attempts, last_error)
values (:consumer, :source, :event_id, 1, :error)
on conflict (consumer, source, event_id) do update
  set attempts = a.attempts + 1, last_error = excluded.last_error, at = now()
returning attempts
""")

PARK = text("""
insert into platform.dead_letters
  (consumer, source, event_id, type, key, reason, status_code, error, fingerprint, headers, data)
values
  (:consumer, :source, :event_id, :type, :key, :reason, :status_code, :error, :fingerprint, cast(:headers as jsonb),
   :data)
on conflict (consumer, source, event_id) do update
  set reason = excluded.reason, error = excluded.error, fingerprint = excluded.fingerprint, headers = excluded.headers,
      status_code = excluded.status_code, received_at = now(), replayed_at = null
""")


def occurrence(envelope: Envelope) -> str:
    """What the inbox tells events by. Each dead letter is one: an event may die at two functions, or again."""
    if (refused_by := envelope.extensions.get("knativeerrordest")) is None:
        return envelope.id
    return f"{envelope.id} {refused_by} {envelope.extensions.get('knativekafkaoffset', '')}"


def claim(consumer: str, envelope: Envelope) -> Claim:
    """Claims the event for the transaction: without a row it was applied before."""
    return lambda db: db.enqueue(FIRST, consumer=consumer, source=envelope.source, event_id=occurrence(envelope))


def claim_all(consumer: str, envelopes: Sequence[Envelope]) -> Claim:
    """The same of several events."""
    return lambda db: db.enqueue(FIRST_OF_MANY, **_named(consumer, envelopes))


def look_up_all(consumer: str, envelopes: Sequence[Envelope]) -> Claim:
    """Finds those that were applied before; `claimed` reads the row."""
    return lambda db: db.enqueue(APPLIED_OF_MANY, **_named(consumer, envelopes))


def _named(consumer: str, envelopes: Sequence[Envelope]) -> dict[str, Any]:
    return {
        "consumer": consumer,
        "sources": [envelope.source for envelope in envelopes],
        "event_ids": [occurrence(envelope) for envelope in envelopes],
    }


def claimed(row: Row) -> set[tuple[str, str]]:
    """The sources and occurrences that were claimed, or found."""
    return set(zip(row.sources or (), row.event_ids or (), strict=True))


def look_up(consumer: str, envelope: Envelope) -> Claim:
    """A row means that the event was applied before."""
    return lambda db: db.enqueue(APPLIED, consumer=consumer, source=envelope.source, event_id=occurrence(envelope))


def fingerprint(event_type: str, error: str) -> str:
    """Groups dead letters of one cause: the type, and the error's first line without its digits."""
    shape = "".join(character for character in error.partition("\n")[0] if not character.isdigit())
    return sha256(f"{event_type}|{shape}".encode()).hexdigest()[:12]


async def count_failure(
    database: Database,
    declaration: Declaration,
    caller: Caller,
    cause: Cause,
    envelope: Envelope,
    error: Exception,
    limit: int,
) -> bool:
    """Counts one failure of the handler; parks the event at the last that is allowed, and says whether it did."""
    said = f"{type(error).__name__}: {error}"[:1024]
    consumer = declaration.service
    async with unit_of_work(database, declaration, caller, cause) as work:
        attempts = await work.db.value(
            COUNT, consumer=consumer, source=envelope.source, event_id=envelope.id, error=said
        )
        if attempts < limit:
            return False
        park(work.db, consumer, envelope, reason="parked", status_code=None, error=said)
    metrics.PARKED.labels(declaration.name).inc()
    logger().error("event parked", attempts=attempts, error=said)
    return True


def park(db: Db, consumer: str, envelope: Envelope, *, reason: str, status_code: int | None, error: str) -> None:
    """Puts the event on the operators' workbench."""
    db.enqueue(
        PARK,
        consumer=consumer,
        source=envelope.source,
        event_id=envelope.id,
        type=envelope.type,
        key=envelope.partitionkey,
        reason=reason,
        status_code=status_code,
        error=error,
        fingerprint=fingerprint(envelope.type, error),
        headers=orjson.dumps(redacted(envelope.to_http_headers())).decode(),
        data=envelope.data,
    )
