"""The tables of stock alerts: what was heard, what was raised, who is told, and what came of telling them."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="inventory")

alert_watches = Table(
    "alert_watches",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("location", Text),
    Column("about", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("open", Boolean, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("watch", BigInteger, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("raised_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
)

alert_targets = Table(
    "alert_targets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text),
    Column("kinds", ARRAY(Text), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
)

alert_secrets = Table(
    "alert_secrets",
    metadata,
    Column("target", Uuid, primary_key=True),
    Column("secret", Text, primary_key=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True)),
    info={"deletable": True},
)

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("alert", Uuid),
    Column("target", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", DateTime(timezone=True)),
    Column("answer", Integer),
    Column("reason", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
)

alert_attempts = Table(
    "alert_attempts",
    metadata,
    Column("delivery", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("outcome", Text),
    Column("answer", Integer),
    Column("reason", Text),
)


def _with_delete(table: Table) -> Table:
    """The same table for the function that forgets: what hangs on its rows goes with them."""
    deletable = table.to_metadata(MetaData())
    deletable.info = {"deletable": True}
    return deletable


ended_alerts, ended_deliveries = _with_delete(alerts), _with_delete(alert_deliveries)
