"""Dead letters go back to their function: the original events, once more, over the function's own retry topic."""

from collections.abc import Sequence
from datetime import datetime

import orjson
from sqlalchemy import text

from shared.runtime import Envelope
from shared.runtime.db import Db
from shared.runtime.declare import retry_topic
from shared.runtime.events import partition_of
from shared.runtime.outbox import NOTIFY
from shared.runtime.pipeline import Row

ADDED_ON_THE_WAY = frozenset(
    {
        "key",
        "knativekafkapartition",
        "knativekafkaoffset",
        "knativeerrordest",
        "knativeerrorcode",
        "knativeerrordata",
    }
)
"""Extensions that the carrier gave the event: the event as it was first sent has none of them."""

# The data stays in the database: a letter may be large, and there may be many.
REDELIVER = text("""
with again as (
  select * from unnest(
    cast(:letters as uuid[]), cast(:ids as text[]), cast(:sources as text[]), cast(:types as text[]),
    cast(:subjects as text[]), cast(:topics as text[]), cast(:partitions as smallint[]), cast(:keys as text[]),
    cast(:sequences as bigint[]), cast(:times as timestamptz[]), cast(:correlations as text[]),
    cast(:causations as text[]), cast(:traceparents as text[]), cast(:extensions as text[]),
    cast(:content_types as text[])
  ) with ordinality as a (letter, id, source, type, subject, topic, partition, key, sequence, time, correlationid,
    causationid, traceparent, extensions, content_type, n)
), forgiven as (
  update platform.attempts t set attempts = 0
  from platform.dead_letters d
  where d.id = any(cast(:letters as uuid[]))
    and t.consumer = d.consumer and t.source = d.source and t.event_id = d.event_id
), marked as (
  update platform.dead_letters set replays = replays + 1, replayed_at = :now where id = any(cast(:letters as uuid[]))
)
insert into platform.outbox (id, source, type, subject, topic, partition, key, sequence, time, correlationid,
  causationid, traceparent, extensions, content_type, data)
select a.id, a.source, a.type, a.subject, a.topic, a.partition, a.key, a.sequence, a.time, a.correlationid,
  a.causationid, a.traceparent, cast(a.extensions as jsonb), a.content_type, d.data
from again a join platform.dead_letters d on d.id = a.letter
order by a.n
""")


async def redeliver(db: Db, letters: Sequence[Row], now: datetime) -> None:
    """Puts the letters into the outbox in the order given, marks them, and forgives their attempts.

    The function's inbox sees to it that one that was applied after all changes nothing.
    """
    sent = [Envelope.from_http(letter.headers, b"") for letter in letters]
    keys = [envelope.partitionkey or envelope.id for envelope in sent]
    await db.send(
        REDELIVER,
        letters=[letter.id for letter in letters],
        ids=[envelope.id for envelope in sent],
        sources=[envelope.source for envelope in sent],
        types=[envelope.type for envelope in sent],
        subjects=[envelope.subject for envelope in sent],
        topics=[retry_topic(letter.consumer) for letter in letters],
        partitions=[partition_of(key) for key in keys],
        keys=keys,
        sequences=[_sequence(envelope) for envelope in sent],
        times=[_time(envelope, letter) for envelope, letter in zip(sent, letters, strict=True)],
        correlations=[envelope.correlationid for envelope in sent],
        causations=[envelope.causationid for envelope in sent],
        traceparents=[envelope.traceparent for envelope in sent],
        extensions=[orjson.dumps(_extensions(envelope)).decode() for envelope in sent],
        content_types=[envelope.datacontenttype for envelope in sent],
        now=now,
    )
    await db.send(NOTIFY)


def _extensions(envelope: Envelope) -> dict[str, str]:
    return {name: value for name, value in envelope.extensions.items() if name not in ADDED_ON_THE_WAY}


def _sequence(envelope: Envelope) -> int | None:
    said = envelope.sequence or ""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def _time(envelope: Envelope, letter: Row) -> datetime:
    """The event's own time; a stranger's event may have none that can be read."""
    try:
        said = datetime.fromisoformat(envelope.time or "")
    except ValueError:
        return letter.received_at  # type: ignore[no-any-return]
    return said if said.tzinfo else letter.received_at
