"""The tables that every function stands on, as operators and timers see them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="platform")

streams = Table(
    "streams",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, primary_key=True),
    Column("id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text),
    Column("topic", Text, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("sequence", BigInteger),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("correlationid", Text),
    Column("causationid", Text),
    Column("traceparent", Text),
    Column("extensions", JSONB),
    Column("content_type", Text),
    Column("data", LargeBinary, nullable=False),
    Column("log_offset", BigInteger),
    Column("published_at", DateTime(timezone=True)),
)

log_heads = Table(
    "log_heads",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", SmallInteger, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

checks = Table(
    "checks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("checked_at", DateTime(timezone=True)),
    Column("took_ms", Integer),
    Column("violations", BigInteger, nullable=False),
    Column("note", Text),
)

findings = Table(
    "findings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("first_seen", DateTime(timezone=True), nullable=False),
    Column("last_seen", DateTime(timezone=True), nullable=False),
    Column("told_at", DateTime(timezone=True)),
    Column("gone_at", DateTime(timezone=True)),
    Column("violations", BigInteger, nullable=False),
    Column("most", BigInteger, nullable=False),
    Column("examples", JSONB, nullable=False),
)

consumer_offsets = Table(
    "consumer_offsets",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", SmallInteger, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("key", Text),
    Column("reason", Text, nullable=False),
    Column("status_code", Integer),
    Column("error", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("replays", Integer, nullable=False),
    Column("replayed_at", DateTime(timezone=True)),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("function", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

publishers = Table(
    "publishers",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("granted_by", Text, nullable=False),
    Column("granted_at", DateTime(timezone=True), nullable=False),
    info={"deletable": True},
)

publications = Table(
    "publications",
    metadata,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("published_by", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    info={"append_only": True},
)

functions = Table(
    "functions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("revision", Text),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("ready", Boolean, nullable=False),
    Column("reason", Text),
    Column("message", Text),
    Column("held_since", DateTime(timezone=True), nullable=False),
    Column("changes", ARRAY(DateTime(timezone=True)), nullable=False),
    Column("status", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    info={"deletable": True},
)

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("function", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("tokens", Double, nullable=False),
    Column("taken", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)


def _old_rows_of(table: Table, are: str) -> Table:
    """The same table for the function that forgets: it may delete rows that `are` such, and do nothing else."""
    old = table.to_metadata(MetaData())
    old.info = {"forgets": are}
    return old


old_outbox = _old_rows_of(outbox, "published_at < now() - interval '30 days'")
old_inbox = _old_rows_of(inbox, "at < now() - interval '30 days'")
old_attempts = _old_rows_of(attempts, "at < now() - interval '30 days'")
old_publications = _old_rows_of(publications, "at < now() - interval '30 days'")
old_limits = _old_rows_of(rate_limits, "at < now() - interval '1 day'")
old_keys = _old_rows_of(idempotency, "expires_at < now()")
