"""The tables of those who look after orders: notes, and what is forgotten after how long."""

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, MetaData, Table, Text, Uuid

from shared.orders.pricing_tables import discount_customers
from shared.orders.tables import metadata, orders, saga_moves

notes = Table(
    "notes",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("order_id", Uuid, ForeignKey(orders.c.id), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text),
    Column("erased_at", DateTime(timezone=True)),
    info={"append_only": True},
)

erasable_notes = notes.to_metadata(MetaData())
"""The same table for the functions that forget persons: they may change what was written."""
erasable_notes.info = {}

forgettable_discount_customers = discount_customers.to_metadata(MetaData())
"""The same table for the functions that forget persons: they may delete who is in it."""
forgettable_discount_customers.info = {"deletable": True}

old_saga_moves = saga_moves.to_metadata(MetaData())
"""The same table for the function that forgets."""
old_saga_moves.info = {"deletable": True}

retention = Table(
    "retention",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("days", Integer),
    Column("actor", Text),
    Column("updated_at", DateTime(timezone=True)),
)
