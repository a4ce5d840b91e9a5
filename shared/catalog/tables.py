"""The catalogue's tables: what a product is, and what is derived from it for readers."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

metadata = MetaData(schema="catalog")

categories = Table(
    "categories",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("parent_id", Uuid),
    Column("ancestors", ARRAY(Uuid), nullable=False),
    Column("position", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    info={"deletable": True},
)

products = Table(
    "products",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("media", JSONB, nullable=False),
    Column("tax_class", Text, nullable=False),
    Column("category_id", Uuid),
    Column("publish_at", DateTime(timezone=True)),
    Column("published_at", DateTime(timezone=True)),
    info={"deletable": True},
)

variants = Table(
    "variants",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("product_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    info={"deletable": True},
)

stock = Table(
    "stock",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("product_id", Uuid),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("status_sequence", BigInteger, nullable=False),
    Column("as_of", DateTime(timezone=True)),
)

sales = Table(
    "sales",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("units", BigInteger, nullable=False),
    Column("ranked", Boolean, nullable=False),
)

listings = Table(
    "listings",
    metadata,
    Column("product_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("stock", Text, nullable=False),
    Column("stock_at", BigInteger, nullable=False),
    info={"deletable": True},
)

search_entries = Table(
    "search_entries",
    metadata,
    Column("product_id", Uuid, primary_key=True),
    Column("category_id", Uuid),
    Column("title_key", Text, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False),
    Column("units_sold", BigInteger, nullable=False),
    Column("availability", Text, nullable=False),
    Column("attributes", ARRAY(Text), nullable=False),
    Column("about", TSVECTOR, nullable=False),
    Column("lexemes", TSVECTOR, nullable=False),
    info={"deletable": True},
)

words = Table(
    "words",
    metadata,
    Column("word", Text, primary_key=True),
    Column("deletions", ARRAY(Text), nullable=False),
    info={"deletable": True},
)

# A view: what the rows of listings and search_entries must be.
listings_now = Table("listings_now", metadata, Column("product_id", Uuid))

DERIVED = (listings, search_entries, words, stock)
"""What whoever changes a product writes beside it."""

SOURCES = (products, variants, stock, sales, listings_now)
"""What `listings_now` reads."""
