"""Measure where sagas stand, for how long, and what is not driven on, for those who watch the shop (ORD-008)."""

from sqlalchemy import text

from shared.orders import saga_metrics as metrics
from shared.orders.saga import FINAL, NEEDS_ATTENTION, State
from shared.orders.tables import sagas
from shared.runtime import Work, timer

# By the index of deadlines, and by that of what is stuck: what has ended is not walked through.
OPEN = text("""
select state, count(*) as count, count(*) filter (where asked > 1) as asked_again,
  count(*) filter (where deadline < now() - interval '60 seconds') as overdue,
  greatest(0, extract(epoch from now() - min(updated_at)))::float8 as oldest_s
from orders.sagas where deadline is not null group by state
union all
select state, count(*), 0, 0, greatest(0, extract(epoch from now() - min(updated_at)))::float8
from orders.sagas where state = 'needs_attention' group by state
""")

STATES = tuple(state for state in State if state not in FINAL or state is NEEDS_ATTENTION)


@timer("40 * * * * *", reads=[sagas])
async def measure_sagas(work: Work) -> None:
    """Once a minute. A state at which none stands is set to 0, so that nothing stays as it was."""
    found = {row.state: row for row in await work.db.all(OPEN)}
    for state in STATES:
        row = found.get(state)
        metrics.SAGAS.labels(state).set(row.count if row else 0)
        metrics.OLDEST.labels(state).set(row.oldest_s if row else 0)
        metrics.ASKED_AGAIN.labels(state).set(row.asked_again if row else 0)
    metrics.OVERDUE.set(sum(row.overdue for row in found.values()))
