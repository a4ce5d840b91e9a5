"""The tables of the payments domain. Amounts are integer minor units."""

from sqlalchemy import BigInteger, Boolean, Column, Computed, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(schema="payments")

payments = Table(
    "payments",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("currency", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("authorized_minor", BigInteger, nullable=False),
    Column("captured_minor", BigInteger, nullable=False),
    Column("voided_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("disputed_minor", BigInteger, nullable=False),
    Column("lost_minor", BigInteger, nullable=False),
    Column("provider_id", Text),
    Column("pending", Text),
    Column("last_said", Text),
    Column("status", Text, Computed("see the migration", persisted=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("operation", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("refund_id", Uuid),
    Column("reason", Text),
    Column("payment_token", Text),
    Column("state", Text, nullable=False),
    Column("provider_id", Text),
    Column("code", Text),
    Column("action_url", Text),
    Column("action_expires_at", DateTime(timezone=True)),
    Column("queries", Integer, nullable=False),
    Column("next_query_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("attempt_key", Text),
    Column("authorization_id", Text),
    Column("chargeback_id", Text),
    Column("reconciliation", BigInteger),
    Column("reversal", Boolean, nullable=False),
    Column("debit_account", Text, nullable=False),
    Column("credit_account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    info={"append_only": True},
)

provider_events = Table(
    "provider_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("command_key", Text),
    Column("order_id", Uuid),
    Column("data", JSONB, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
)

chargebacks = Table(
    "chargebacks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("authorization_id", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", Text),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
)

breakers = Table(
    "breakers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", DateTime(timezone=True)),
    Column("opened_at", DateTime(timezone=True)),
    Column("retry_at", DateTime(timezone=True)),
    Column("tries", Integer, nullable=False),
)

differences = Table(
    "differences",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("authorization_id", Text, primary_key=True),
    Column("figure", Text, primary_key=True),
    Column("ours_minor", BigInteger, nullable=False),
    Column("theirs_minor", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("gone_at", DateTime(timezone=True)),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("order_id", Uuid, nullable=False),
    Column("authorization_id", Text, nullable=False),
    Column("figure", Text, nullable=False),
    Column("ours_minor", BigInteger, nullable=False),
    Column("theirs_minor", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    info={"append_only": True},
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("name", Text, primary_key=True),
    Column("after", Text, nullable=False),
    Column("began_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("compared", BigInteger, nullable=False),
)

old_provider_events = provider_events.to_metadata(MetaData())
"""The same table for the function that forgets."""
old_provider_events.info = {"deletable": True}
