"""Measure how many orders are held for review, and for how long, for those who watch the shop (ORD-013)."""

from sqlalchemy import text

from shared.orders import desk_metrics
from shared.orders.tables import audit, orders
from shared.runtime import Work, timer

HELD = text("""
select count(*) as count, coalesce(extract(epoch from now() - min(since)), 0)::float8 as oldest_s
from (
  select (select max(a.at) from orders.audit a where a.order_id = o.id and a.action = 'order.review_started') as since
  from orders.orders o where o.review is not null
) as held
""")


@timer("40 * * * * *", reads=[orders, audit])
async def measure_reviews(work: Work) -> None:
    """Once a minute."""
    held = await work.db.one(HELD)
    assert held is not None, "a count has a row"
    desk_metrics.UNDER_REVIEW.set(held.count)
    desk_metrics.REVIEW_OLDEST.set(held.oldest_s)
