"""Outbox rows as envelopes, the relay's locks, and how long a silent peer is believed: shared by both carriers."""

from collections.abc import Sequence
from typing import Any

import orjson
from psycopg import sql

from shared.runtime.events import PARTITIONS, Envelope

# A peer that vanished without a word must not hold a relay or dispatcher: keepalives find out within about 5 s.
LIVELY: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}

LOCKS = 0x5E1A  # the class of the relay's advisory locks, one per shard

# Read Committed: the statement after this one takes its snapshot with the locks held, so it sees all that the shard's
# holder before did.
PREPARE_LOCK = sql.SQL(
    "prepare relay_lock as select set_config('relay.shards', coalesce(array_agg(shard)::text, '{{}}'), true)"
    " from generate_series(0, {last}) shard where pg_try_advisory_xact_lock({locks}, shard)"
).format(last=sql.Literal(PARTITIONS - 1), locks=sql.Literal(LOCKS))

ENVELOPE = sql.SQL("""
key, id::text, source, type, to_char(time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), data, subject,
sequence::text, correlationid, causationid, traceparent, content_type, extensions::text
""")


def envelope(columns: Sequence[Any]) -> Envelope:
    """The envelope of a row's ENVELOPE columns."""
    key, id_, source, type_, time, data, subject, sequence, correlationid, causationid, traceparent, *rest = columns
    content_type, noted = rest
    extensions: dict[str, str] = orjson.loads(noted) if noted else {}
    if "time" in extensions:  # said by somebody else, before it was written here
        time, extensions["recordedtime"] = extensions.pop("time"), time
    return Envelope(
        id=id_,
        source=source,
        type=type_,
        time=time,
        data=data,
        subject=subject,
        partitionkey=key,
        sequence=sequence,
        correlationid=correlationid,
        causationid=causationid,
        traceparent=traceparent,
        datacontenttype=content_type,
        extensions=extensions,
    )
