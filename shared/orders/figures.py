"""Figures of sales: what the books say is counted once, as facts, and summed up by day.

A fact is made of the books, not of the event that tells of it. So no order of events matters, an event that comes twice
counts nothing, and the rebuild needs nothing but the books.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text

from shared.orders import figures_metrics as metrics
from shared.orders.queries import PRODUCTS, TOTALS
from shared.runtime import Work
from shared.runtime.pipeline import Row

COLUMNS = "id, kind, order_id, at, day, currency, country, reason, amount_minor, units"

# Rows are written in the order of their keys, days after products: what all orders of a day share is locked last.
COUNT = text(f"""
with counted as (
  insert into orders.sales_facts ({COLUMNS})
  select {COLUMNS} from orders.sales_facts_now where order_id = any(cast(:orders as uuid[])) order by order_id, kind, id
  on conflict do nothing
  returning *
), products as (
  insert into orders.product_days as d (day, currency, country, category, sku, kind, amount_minor, units)
  select * from ({PRODUCTS.format(facts="counted")}) s order by day, currency, country, category, sku, kind
  on conflict (day, currency, country, category, sku, kind) do update
    set amount_minor = d.amount_minor + excluded.amount_minor, units = d.units + excluded.units
  returning 1
), days as (
  insert into orders.sales_days as d (day, currency, country, kind, reason, facts, amount_minor, units)
  select s.* from ({TOTALS.format(facts="counted")}) s
  where (select count(*) from products) >= 0
  order by day, currency, country, kind, reason
  on conflict (day, currency, country, kind, reason) do update
    set facts = d.facts + excluded.facts, amount_minor = d.amount_minor + excluded.amount_minor,
      units = d.units + excluded.units
)
select kind, currency, sum(amount_minor)::bigint as amount_minor from counted group by kind, currency
""")  # noqa: S608 - of constants


async def count(work: Work, order_ids: Collection[UUID]) -> None:
    """Counts what the books say of these orders and no fact says yet."""
    rows: list[Row] = await work.db.all(COUNT, orders=sorted(order_ids))
    for row in rows:
        metrics.MONEY.labels(row.kind, row.currency).inc(row.amount_minor)
