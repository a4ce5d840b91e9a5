"""The inventory's tables."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(schema="inventory")

locations = Table(
    "locations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
)

items = Table(
    "items",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("tracked", Boolean, nullable=False),
    Column("low_at", Integer),
    Column("updated_at", DateTime(timezone=True), nullable=False),
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
    Column("version", Integer, nullable=False),
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
    Column("at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    info={"append_only": True},
)
