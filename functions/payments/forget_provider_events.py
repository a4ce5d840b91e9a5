"""Forget what the provider told a month ago: what is so old can no longer be sent again under its signature."""

from sqlalchemy import text

from shared.payments.tables import old_provider_events
from shared.runtime import Work, timer

FORGET = text("""
delete from payments.provider_events where id = any(array(
  select id from payments.provider_events
  where received_at < cast(:now as timestamptz) - interval '30 days' order by received_at limit :most
))
""")

MOST_AT_ONCE = 2_000


@timer("40 */5 * * * *", writes=[old_provider_events])
async def forget_provider_events(work: Work) -> None:
    """A repetition is known by its id for far longer than the five minutes in which its signature is taken."""
    await work.db.send(FORGET, now=work.now, most=MOST_AT_ONCE)
