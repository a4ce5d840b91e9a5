"""The tables of what leaves, what comes back, and the money of each."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from shared.orders.tables import metadata

fulfilments = Table(
    "fulfilments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("location", Text),
    Column("status", Text, nullable=False),
    Column("refused", Text),
    Column("carrier", Text),
    Column("tracking_number", Text),
    Column("tracking_url", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("shipped_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
)

fulfilment_lines = Table(
    "fulfilment_lines",
    metadata,
    Column("fulfilment_id", Uuid, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("shipped", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("cancelling", Integer, nullable=False),
    Column("shipped_minor", BigInteger, nullable=False),
    Column("cancelled_minor", BigInteger, nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("amount_minor", BigInteger),
    Column("location", Text),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("answer", Text),
    Column("tries", Integer, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("deadline", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

refund_requests = Table(
    "refund_requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("granted_minor", BigInteger),
    Column("answer", Text),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("failure", Text),
    Column("request_id", Uuid),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

goods_returns = Table(
    "goods_returns",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("refund", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

goods_return_lines = Table(
    "goods_return_lines",
    metadata,
    Column("return_id", Uuid, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("restocked", Integer, nullable=False),
    Column("damaged", Integer, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
)
