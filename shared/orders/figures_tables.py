"""The tables of sales' figures: facts, each counted once, and their sums by day."""

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Table, Text, Uuid

from shared.orders.tables import customers, metadata, order_lines, orders, return_lines, returns, saga_moves, sagas
from shared.payments.tables import attempts, payments

figures_policy = Table(
    "figures_policy",
    metadata,
    Column("one", Boolean, primary_key=True),
    Column("time_zone", Text, nullable=False),
)

sales_facts = Table(
    "sales_facts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("order_id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("day", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    info={"deletable": True},
)

sales_days = Table(
    "sales_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("country", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("facts", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    info={"deletable": True},
)

product_days = Table(
    "product_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("country", Text, primary_key=True),
    Column("category", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    info={"deletable": True},
)

sales_facts_now = Table("sales_facts_now", metadata, Column("id", Uuid))
"""A view: what the facts must be, by the books of this moment."""

FIGURES = (sales_facts, sales_days, product_days)

SOURCES = (
    *(sales_facts_now, figures_policy),
    *(orders, order_lines, sagas, saga_moves, customers, returns, return_lines),
    *(payments, attempts),
)
"""What the view and `orders.lines_of` read."""
