"""Measure levels, holds by age, shortfalls and transfers, for those who watch the shop (INV-015)."""

from sqlalchemy import text

from shared.inventory import metrics
from shared.inventory.alert_tables import alert_deliveries
from shared.inventory.tables import holds, items, locations, stock, transfers
from shared.runtime import Work, timer

LATE_S = 30
"""A hold is overdue when it should have expired so long ago: the timer that ends it comes every 5 s."""

STATUSES = ("in_stock", "low", "backorder", "out_of_stock")

AGES = ("5m", "1h", "1d", "7d", "older")

LEVELS = text("""
select
  (select jsonb_object_agg(status, count) from (select status, count(*) from inventory.items group by status) i)
    as skus,
  coalesce(sum(on_hand), 0)::bigint as on_hand, coalesce(sum(held), 0)::bigint as held,
  coalesce(sum(committed), 0)::bigint as committed, coalesce(sum(safety_stock), 0)::bigint as safety_stock,
  coalesce(sum(s.shortfall), 0)::bigint as shortfall, count(*) filter (where s.shortfall > 0) as shortfalls
from inventory.stock s join inventory.locations l on l.id = s.location and l.closed_at is null
""")

HOLDS = text("""
select status, case
    when age < interval '5 minutes' then '5m'
    when age < interval '1 hour' then '1h'
    when age < interval '1 day' then '1d'
    when age < interval '7 days' then '7d'
    else 'older'
  end as age, count(*) as count, count(*) filter (where overdue) as overdue
from (
  select status, now() - created_at as age,
    status = 'HELD' and expires_at < now() - make_interval(secs => :late) as overdue
  from inventory.holds where status in ('HELD', 'COMMITTED')
) live
group by 1, 2
""")

TRANSFERS = text("""
select count(*) filter (where expected_at < now()) as overdue, count(*) as count
from inventory.transfers where status = 'in_transit'
""")

ALERTS = text("""
select count(*) as waiting,
  coalesce(extract(epoch from now() - min(asked_at)), 0)::float8 as oldest_s,
  greatest(0, extract(epoch from now() - min(next_at)))::float8 as overdue_s
from inventory.alert_deliveries where status = 'pending'
""")

UNITS = ("on_hand", "held", "committed", "safety_stock", "shortfall")


@timer("0 * * * * *", reads=[items, stock, locations, transfers, holds, alert_deliveries])
async def measure_stock(work: Work) -> None:
    """Reads each table once a minute. What was not found is set to 0, so that nothing stays as it was."""
    levels = work.db.enqueue(LEVELS)
    live = work.db.enqueue(HOLDS, late=LATE_S)
    told_later = work.db.enqueue(ALERTS)
    way = await work.db.one(TRANSFERS)
    level = await levels.one()
    assert level, "a sum has a row"
    assert way, "a count has a row"
    skus = level.skus or {}
    for status in STATUSES:
        metrics.SKUS.labels(status).set(skus.get(status, 0))
    for kind in UNITS:
        metrics.UNITS.labels(kind).set(getattr(level, kind))
    metrics.SHORTFALLS.set(level.shortfalls)
    found = await live.all()
    counts = {(row.status, row.age): row.count for row in found}
    for status in ("HELD", "COMMITTED"):
        for age in AGES:
            metrics.HOLDS.labels(status, age).set(counts.get((status, age), 0))
    metrics.HOLDS_OVERDUE.set(sum(row.overdue for row in found))
    metrics.TRANSFERS.labels("yes").set(way.overdue)
    metrics.TRANSFERS.labels("no").set(way.count - way.overdue)
    told = await told_later.one()
    assert told is not None
    metrics.ALERTS_WAITING.set(told.waiting)
    metrics.ALERTS_OLDEST.set(told.oldest_s)
    metrics.ALERTS_OVERDUE.set(told.overdue_s)
