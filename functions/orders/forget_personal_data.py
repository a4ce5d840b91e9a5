"""Forget what was kept for long enough: personal data of ended orders, and the steps of their sagas (ORD-013)."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from shared.orders.desk_tables import old_saga_moves, retention
from shared.orders.erasing import ERASES, erase
from shared.orders.retention import read_retention
from shared.orders.tables import sagas
from shared.runtime import Work, timer

MOST_AT_ONCE = 500

# The first condition is that of an index that holds only orders with something to forget. An order ended at the last
# move of its saga at the earliest, so that it was placed before.
OLD = text("""
select o.id from orders.orders o join orders.sagas s on s.order_id = o.id
where (o.email is not null or o.shipping_address is not null or o.billing_address is not null)
  and (o.status = any(array['rejected', 'expired', 'cancelled'])
      and s.updated_at < cast(:unsold_before as timestamptz)
    or o.status = any(array['completed', 'rejected', 'expired', 'cancelled'])
      and s.updated_at < cast(:before as timestamptz))
  and o.placed_at < greatest(cast(:unsold_before as timestamptz), cast(:before as timestamptz))
order by o.placed_at, o.id limit :most for update of o skip locked
""").execution_options(planned="anew")

# Ids are in the order of time: beyond the one that was given out then, there is nothing to look at.
MOVES = text("""
with old as (
  select s.order_id from orders.saga_moves m join orders.sagas s on s.order_id = m.order_id
  where m.position = 1 and m.order_id < :until and s.deadline is null and s.state <> 'needs_attention'
    and s.updated_at < cast(:before as timestamptz)
  order by m.order_id limit :most for update of s skip locked
), marked as (
  update orders.sagas s set moves_forgotten_at = :now from old where s.order_id = old.order_id
)
delete from orders.saga_moves m using old where m.order_id = old.order_id
""").execution_options(planned="anew")


@timer(
    "50 * * * * *",
    reads=[retention],
    writes=[*ERASES, sagas, old_saga_moves],
)
async def forget_personal_data(work: Work) -> None:
    """As the retention says, which at first forgets nothing. Takes 500 orders at a tick; the rest goes at the next."""
    kept = await read_retention(work)
    if kept.personal_data_days or kept.unsold_personal_data_days:
        before, unsold_before = (
            None if days is None else work.now - timedelta(days=days)
            for days in (kept.personal_data_days, kept.unsold_personal_data_days)
        )
        rows = await work.db.all(OLD, before=before, unsold_before=unsold_before, most=MOST_AT_ONCE)
        await erase(work, [row.id for row in rows])
    if kept.saga_moves_days:
        until = work.now - timedelta(days=kept.saga_moves_days)
        milliseconds = int(until.timestamp() * 1000)
        await work.db.send(MOVES, until=UUID(int=milliseconds << 80), before=until, now=work.now, most=MOST_AT_ONCE)
