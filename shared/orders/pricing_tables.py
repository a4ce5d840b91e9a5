"""The tables of what an order costs beyond its goods' prices, and of the keys of guests' links."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, ForeignKey, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.orders.tables import metadata, orders

pricing_terms = Table(
    "pricing_terms",
    metadata,
    Column("the_one", Boolean, primary_key=True),
    Column("prices_include_tax", Boolean, nullable=False),
    Column("home_country", Text),
    Column("capture", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

tax_rates = Table(
    "tax_rates",
    metadata,
    Column("country", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("tax_class", Text, primary_key=True),
    Column("rate_ppm", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    info={"deletable": True},
)

shipping_methods = Table(
    "shipping_methods",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("bands", JSONB, nullable=False),
    Column("countries", ARRAY(Text)),
    Column("tax_class", Text, nullable=False),
    Column("free_from_minor", BigInteger),
    Column("position", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    info={"deletable": True},
)

sku_weights = Table(
    "sku_weights",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("weight_g", Integer, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    info={"deletable": True},
)

discounts = Table(
    "discounts",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("percent_ppm", Integer),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("skus", ARRAY(Text), nullable=False),
    Column("category_ids", ARRAY(Uuid), nullable=False),
    Column("minimum_minor", BigInteger),
    Column("starts_at", DateTime(timezone=True)),
    Column("ends_at", DateTime(timezone=True)),
    Column("most_uses", Integer),
    Column("most_per_customer", Integer),
    Column("combines", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    info={"deletable": True},
)

discount_customers = Table(
    "discount_customers",
    metadata,
    Column("code", Text, ForeignKey(discounts.c.code), primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("uses", Integer, nullable=False),
    Column("most", Integer, nullable=False),
)

discount_uses = Table(
    "discount_uses",
    metadata,
    Column("code", Text, ForeignKey(discounts.c.code), nullable=False),
    Column("order_id", Uuid, ForeignKey(orders.c.id), primary_key=True),
    Column("customer", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=False),
    Column("given_back_at", DateTime(timezone=True)),
)

link_keys = Table(
    "link_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

TERMS = (pricing_terms, tax_rates, shipping_methods, sku_weights, discounts)
"""What a price is reckoned from, beside the catalogue."""
