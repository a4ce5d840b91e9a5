"""The inventory's tables."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="inventory")

locations = Table(
    "locations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("address", JSONB),
    Column("ships_to", ARRAY(Text)),
    Column("version", Integer, nullable=False),
)

policy = Table(
    "policy",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("allocation", Text, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("tracked", Boolean, nullable=False),
    Column("low_at", Integer),
    Column("status", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("policy_at", DateTime(timezone=True)),
)

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("on_hand", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("committed", BigInteger, nullable=False),
    Column("shortfall", BigInteger, nullable=False),
    Column("safety_stock", BigInteger, nullable=False),
    Column("backorder_limit", BigInteger, nullable=False),
    Column("low_at", Integer),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("policy_at", DateTime(timezone=True)),
    Column("short_since", DateTime(timezone=True)),
)

holds = Table(
    "holds",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("status", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("shortages", JSONB),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

hold_lines = Table(
    "hold_lines",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("location", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
    Column("shipped", BigInteger, nullable=False),
    Column("backordered", BigInteger, nullable=False),
)

hold_parts = Table(
    "hold_parts",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("lines", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    info={"append_only": True},
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("delta", BigInteger, nullable=False),
    Column("on_hand", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text),
    Column("cause", Text),
    Column("order_id", Uuid),
    Column("event", Text),
    Column("transfer", Uuid),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    info={"append_only": True},
)

mendings = Table(
    "mendings",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("location", Text),
    Column("what", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("found", JSONB, nullable=False),
    Column("expected", JSONB, nullable=False),
    Column("mend", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("on_hand", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    info={"append_only": True},
)

transfers = Table(
    "transfers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("origin", Text),
    Column("destination", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reference", Text),
    Column("note", Text),
    Column("expected_at", DateTime(timezone=True)),
    Column("actor", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

transfer_lines = Table(
    "transfer_lines",
    metadata,
    Column("transfer_id", Uuid, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("arrived", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
)
