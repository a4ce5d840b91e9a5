"""Forget what nobody can ask for any more: expired keys, unused limits, what was received or published a month ago."""

from sqlalchemy import text

from shared.platform.tables import (
    consumer_offsets,
    old_attempts,
    old_inbox,
    old_keys,
    old_limits,
    old_outbox,
    old_publications,
)
from shared.runtime import Work, timer

KEYS = text("""
delete from platform.idempotency where ctid = any(array(
  select ctid from platform.idempotency where expires_at < :now order by expires_at limit :most
))
""")

INBOX = text("""
delete from platform.inbox where ctid = any(array(
  select ctid from platform.inbox where at < cast(:now as timestamptz) - interval '30 days' limit :most
))
""")

ATTEMPTS = text("""
delete from platform.attempts where ctid = any(array(
  select ctid from platform.attempts where at < cast(:now as timestamptz) - interval '30 days' limit :most
))
""")

# With the embedded carrier this table is the log: what a function has still to read stays.
OUTBOX = text("""
delete from platform.outbox where ctid = any(array(
  select o.ctid from platform.outbox o
  where o.published_at < cast(:now as timestamptz) - interval '30 days'
    and not exists (
      select from platform.consumer_offsets c
      where c.topic = o.topic and c.partition = o.partition and c.next_offset <= o.log_offset
    )
  limit :most
))
""")

# A bucket that nobody took from for a day is full, and so is one that is not there.
LIMITS = text("""
delete from platform.rate_limits where ctid = any(array(
  select ctid from platform.rate_limits where at < cast(:now as timestamptz) - interval '1 day' limit :most
))
""")

PUBLICATIONS = text("""
delete from platform.publications where ctid = any(array(
  select ctid from platform.publications where at < cast(:now as timestamptz) - interval '30 days' limit :most
))
""")

MOST_AT_ONCE = 5000


@timer(
    "45 */5 * * * *",
    reads=[consumer_offsets],
    writes=[old_keys, old_inbox, old_attempts, old_outbox, old_limits, old_publications],
)
async def forget_old_rows(work: Work) -> None:
    """Takes at most 5,000 rows of each table, so that it holds nobody up; the rest goes at the next ticks."""
    for statement in (KEYS, INBOX, ATTEMPTS, OUTBOX, LIMITS, PUBLICATIONS):
        await work.db.send(statement, now=work.now, most=MOST_AT_ONCE)
