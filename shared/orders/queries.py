"""What others may ask of orders' tables: sums of facts, where `{facts}` says of which."""

TOTALS = """
select day, currency, country, kind, reason, count(*) as facts, sum(amount_minor)::bigint as amount_minor,
  sum(units)::bigint as units
from {facts} group by day, currency, country, kind, reason
"""

PRODUCTS = """
select f.day, f.currency, f.country, l.category, l.sku, f.kind, sum(l.amount_minor)::bigint as amount_minor,
  sum(l.units)::bigint as units
from {facts} f cross join lateral orders.lines_of(f.kind, f.id, f.order_id) l
group by f.day, f.currency, f.country, l.category, l.sku, f.kind
"""
