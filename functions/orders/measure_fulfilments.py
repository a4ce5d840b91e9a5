"""Measure what is to be shipped, paid back and settled, for those who watch the shop (ORD-005, ORD-011)."""

from sqlalchemy import text

from shared.orders import fulfilment_metrics as metrics
from shared.orders.fulfilment import OPEN as OPEN_FULFILMENTS
from shared.orders.fulfilment_tables import fulfilments, refund_requests, refunds, steps
from shared.orders.steps import OPEN as OPEN_STEPS
from shared.orders.steps import Kind
from shared.runtime import Work, timer

AGES = ("1h", "1d", "3d", "older")

FULFILMENTS = text("""
select status, case
    when age < interval '1 hour' then '1h'
    when age < interval '1 day' then '1d'
    when age < interval '3 days' then '3d'
    else 'older'
  end as age, count(*) as count, count(*) filter (where refused) as refused,
  extract(epoch from max(age))::float8 as oldest_s
from (
  select status, now() - created_at as age, refused is not null as refused
  from orders.fulfilments where status in ('pending', 'shipping')
) open group by 1, 2
""")
REFUNDS = text("select status, count(*) as count from orders.refunds where status <> 'succeeded' group by status")
REQUESTS = text("select count(*) from orders.refund_requests where status = 'open'")
STEPS = text("""
select kind, state, count(*) as count,
  greatest(0, extract(epoch from now() - min(updated_at) filter (where asked > 1)))::float8 as waits_s
from orders.steps where deadline is not null or state = 'needs_attention' group by kind, state
""")


@timer("40 * * * * *", reads=[fulfilments, refunds, refund_requests, steps])
async def measure_fulfilments(work: Work) -> None:
    """Once a minute. What was not found is set to 0, so that nothing stays as it was."""
    asked_back = work.db.enqueue(REFUNDS)
    requested = work.db.enqueue(REQUESTS)
    asked = work.db.enqueue(STEPS)
    rows = await work.db.all(FULFILMENTS)
    counts = {(row.status, row.age): row.count for row in rows}
    for waiting in OPEN_FULFILMENTS:
        for age in AGES:
            metrics.FULFILMENTS.labels(waiting.value, age).set(counts.get((waiting, age), 0))
    metrics.OLDEST_S.set(max((row.oldest_s for row in rows), default=0))
    metrics.REFUSED.set(sum(row.refused for row in rows))
    refunds_open = {row.status: row.count for row in await asked_back.all()}
    for status in ("requested", "failed"):
        metrics.REFUNDS.labels(status).set(refunds_open.get(status, 0))
    metrics.REQUESTS.set(await requested.value())
    open_steps = await asked.all()
    steps_open = {(row.kind, row.state): row.count for row in open_steps}
    for kind in Kind:
        for state in OPEN_STEPS:
            metrics.STEPS.labels(kind.value, state.value).set(steps_open.get((kind, state), 0))
    metrics.OVERDUE_S.set(max((row.waits_s or 0 for row in open_steps if row.state == "asked"), default=0))
