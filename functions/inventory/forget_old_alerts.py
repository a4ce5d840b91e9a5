"""Forget stock alerts whose episode ended three months ago, with all that was sent of them (INV-016)."""

from sqlalchemy import text

from shared.inventory.alert_tables import ended_alerts, ended_deliveries
from shared.runtime import Work, timer

ALERTS = text("""
delete from inventory.alerts where ctid = any(array(
  select a.ctid from inventory.alerts a
  where a.closed_at < cast(:now as timestamptz) - interval '90 days'
    and not exists (
      select from inventory.alert_deliveries d
      where d.alert = a.id and (d.status = 'pending' or d.ended_at > cast(:now as timestamptz) - interval '90 days'))
  order by a.closed_at limit :most
))
""")
TESTS = text("""
delete from inventory.alert_deliveries where ctid = any(array(
  select ctid from inventory.alert_deliveries
  where alert is null and ended_at < cast(:now as timestamptz) - interval '90 days' order by ended_at limit :most
))
""")

MOST_AT_ONCE = 2_000


@timer("50 */5 * * * *", writes=[ended_alerts, ended_deliveries])
async def forget_old_alerts(work: Work) -> None:
    """An alert that is open is kept, however old it is."""
    await work.db.send(ALERTS, now=work.now, most=MOST_AT_ONCE)
    await work.db.send(TESTS, now=work.now, most=MOST_AT_ONCE)
