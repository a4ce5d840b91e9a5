"""The tables of orders, their sagas and returns."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="orders")

customers = Table(
    "customers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("country", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("reference", Text),
    Column("customer_id", Text),
    Column("recorded", Boolean, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("currency", Text, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("payment_token", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("email", Text),
    Column("shipping_address", JSONB),
    Column("billing_address", JSONB),
    Column("country", Text),
    Column("guest", Boolean, nullable=False),
    Column("shipping_method", Text),
    Column("prices_include_tax", Boolean, nullable=False),
    Column("subtotal_minor", BigInteger, nullable=False),
    Column("discount_minor", BigInteger, nullable=False),
    Column("shipping_minor", BigInteger, nullable=False),
    Column("shipping_tax_minor", BigInteger, nullable=False),
    Column("tax_minor", BigInteger, nullable=False),
    Column("discount_codes", ARRAY(Text), nullable=False),
    Column("capture", Text, nullable=False),
    Column("on_decline", Text, nullable=False),
    Column("fulfilment", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("review", Text),
    Column("erased_at", DateTime(timezone=True)),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Uuid, ForeignKey(orders.c.id), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("returned_quantity", Integer, nullable=False),
    Column("product_id", Uuid),
    Column("category_id", Uuid),
    Column("tax_class", Text, nullable=False),
    Column("tax_rate_ppm", Integer, nullable=False),
    Column("discount_minor", BigInteger, nullable=False),
    Column("tax_minor", BigInteger, nullable=False),
    Column("shipped_quantity", Integer, nullable=False),
    Column("cancelled_quantity", Integer, nullable=False),
)

sagas = Table(
    "sagas",
    metadata,
    Column("order_id", Uuid, ForeignKey(orders.c.id), primary_key=True),
    Column("state", Text, nullable=False),
    Column("ending", Text),
    Column("reason", Text),
    Column("payment", Text, nullable=False),
    Column("early", JSONB, nullable=False),
    Column("moves", Integer, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("deadline", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

saga_moves = Table(
    "saga_moves",
    metadata,
    Column("order_id", Uuid, ForeignKey(orders.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("event_id", Text),
    Column("asked", Text),
    Column("at", DateTime(timezone=True), nullable=False),
    info={"append_only": True},
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("order_id", Uuid, ForeignKey(orders.c.id)),
    Column("reason", Text),
    Column("detail", JSONB, nullable=False),
    info={"append_only": True},
)

returns = Table(
    "returns",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("returned_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    info={"append_only": True},
)

return_lines = Table(
    "return_lines",
    metadata,
    Column("return_id", Uuid, ForeignKey(returns.c.id), primary_key=True),
    Column("refund_id", Uuid, nullable=False, unique=True),
    Column("order_id", Uuid, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("failure", Text),
)
