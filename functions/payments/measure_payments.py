"""Measure what is open of payments, disputes and the breaker, and how the books compare, for those who watch."""

from sqlalchemy import text

from shared.payments import metrics
from shared.payments.tables import attempts, breakers, chargebacks, comparisons, differences
from shared.runtime import Work, timer

OPEN = text("""
select state, count(*) as count, count(*) filter (where operation = 'refund') as refunds,
  extract(epoch from now() - min(created_at))::float8 as oldest_s
from payments.attempts where next_query_at is not null group by state
""")
BREAKER = text("select state from payments.breakers where name = 'provider'")
DIFFERENCES = text("select cause, count(*) as count from payments.differences where gone_at is null group by cause")
COMPARED = text("""
select greatest(0, extract(epoch from now() - min(coalesce(ended_at, began_at))))::float8 as age_s
from payments.comparisons
""")
CHARGEBACKS = text("""
select currency, count(*) as count, sum(amount_minor)::bigint as amount_minor
from payments.chargebacks where closed_at is null group by currency
""")


@timer("20 * * * * *", reads=[attempts, breakers, differences, comparisons, chargebacks])
async def measure_payments(work: Work) -> None:
    """Once a minute. What was not found is set to 0, so that nothing stays as it was."""
    open_ones = work.db.enqueue(OPEN)
    breaker = work.db.enqueue(BREAKER)
    compared = work.db.enqueue(COMPARED)
    disputes = work.db.enqueue(CHARGEBACKS)
    differing = {row.cause: row.count for row in await work.db.all(DIFFERENCES)}
    attempts_open = {row.state: row for row in await open_ones.all()}
    for state in metrics.ATTEMPT_STATES:
        metrics.OPEN_ATTEMPTS.labels(state).set(attempts_open[state].count if state in attempts_open else 0)
    unknown = attempts_open.get("unknown")
    metrics.OLDEST_UNKNOWN.set(unknown.oldest_s if unknown else 0)
    metrics.REFUNDS.set(sum(row.refunds for row in attempts_open.values()))
    now = await breaker.value()
    for state in metrics.BREAKER_STATES:
        metrics.BREAKER.labels(state).set(state == now)
    for cause in metrics.DIFFERENCE_CAUSES | differing.keys():
        metrics.DIFFERENCES.labels(cause).set(differing.get(cause, 0))
    metrics.COMPARED.set(await compared.value() or 0)
    rows = await disputes.all()
    metrics.CHARGEBACKS.set(sum(row.count for row in rows))
    metrics.told_currencies.update(row.currency for row in rows)
    amounts = {row.currency: row.amount_minor for row in rows}
    for currency in metrics.told_currencies:
        metrics.CHARGEBACKS_MINOR.labels(currency).set(amounts.get(currency, 0))
