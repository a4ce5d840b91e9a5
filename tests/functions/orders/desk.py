"""Orders of several persons, with all that is personal in them, as those who look after orders find them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from shared.orders.saga import State
from tests.conftest import NOW, Books, Run
from tests.functions.orders.sagas import order_at

OPERATOR = ("operator",)
ADMINS = ("admin",)

SECRETS = ("Ada Lovelace", "12 St James's Square", "SW1Y 4JH", "ada@example.com", "tok_approve_ada", "ring for Ada")
"""All that is personal in `personal`'s orders."""

ADDRESS: dict[str, Any] = {
    "lines": ["Ada Lovelace", "12 St James's Square"],
    "city": "London",
    "region": None,
    "postcode": "SW1Y 4JH",
    "country": "GB",
}


async def personal(run: Run, db: Books, state: State = State.COMPLETED, **kept: Any) -> UUID:
    """An order that says whose it is; `kept` are columns of its row."""
    order = await order_at(run, state)
    columns = {
        "email": "Ada@Example.com",
        "shipping_address": orjson.dumps(ADDRESS).decode(),
        "billing_address": orjson.dumps(ADDRESS).decode(),
        "country": "GB",
        "payment_token": "tok_approve_ada",
    }
    await be(db, order, **{**columns, **kept})
    return order


async def be(db: Books, order: UUID, **columns: Any) -> None:
    for column, value in columns.items():
        await db.run(f"update orders.orders set {column} = %(value)s where id = %(id)s", value=value, id=order)  # noqa: S608 - names of ours


async def made(db: Books, count: int, **columns: Any) -> list[UUID]:
    """`count` confirmed orders, a minute apart, the newest last."""
    ids = [UUID(int=10_000 + n) for n in range(count)]
    await db.run(
        """insert into orders.orders (id, number, customer_id, recorded, placed_at, currency, subtotal_minor,
          total_minor, payment_token, status, version, created_at)
        select id, 'N-' || n, 'customer-1', true, cast(%(now)s as timestamptz) + n * interval '1 minute', 'GBP',
          100 + n, 100 + n, 't', 'confirmed', 1, %(now)s
        from unnest(cast(%(ids)s as uuid[])) with ordinality as i (id, n)""",
        ids=ids,
        now=NOW,
    )
    await db.run(
        """insert into orders.order_lines (order_id, line_no, sku, title, quantity, unit_price_minor, total_minor)
        select id, 1, 'mug', '=HYPERLINK(1)', 1, total_minor, total_minor from orders.orders where id = any(%(ids)s)""",
        ids=ids,
    )
    await db.run(
        """insert into orders.sagas (order_id, state, moves, updated_at)
        select id, 'completed', 1, %(now)s from unnest(cast(%(ids)s as uuid[])) as i (id)""",
        ids=ids,
        now=NOW,
    )
    for order in ids if columns else ():
        await be(db, order, **columns)
    return ids


async def everything(db: Books) -> str:
    """Every row of every table of the shop, bytes as text."""
    tables = await db.all(
        """select schemaname || '.' || tablename as name from pg_tables
        where schemaname in ('orders', 'payments', 'inventory', 'platform', 'catalog')"""
    )
    found = []
    for table in tables:
        for row in await db.all(f"select t.* from {table.name} t"):  # noqa: S608 - names of ours
            found += [f"{table.name}: {_legible(value)}" for value in row]
    return "\n".join(found)


def _legible(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def later(days: int) -> datetime:
    return NOW + timedelta(days=days)
