"""What stands behind the counts of a SKU: which entries brought what is there, to whom it is promised, what is coming.

All of it is read by one statement, so that it is of one moment and adds up to the counts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from shared.inventory.counts import CountsAt
from shared.inventory.queries import UNSOLD, promises
from shared.runtime import View, Work
from shared.runtime.pipeline import Row

# Goods leave in the order in which they came: what is there was brought by the newest entries. Promises that wait are
# listed before those that are covered, where there are more than are shown.
WHY = text(f"""
with coming as (
  select t.destination as location, sum(w.quantity)::bigint as incoming,
    jsonb_agg(jsonb_build_object('transfer', w.transfer, 'origin', t.origin, 'quantity', w.quantity,
        'since', t.created_at, 'expected_at', t.expected_at, 'reference', t.reference, 'actor', t.actor)
      order by w.n) filter (where w.n <= :shown) as coming_by
  from (
    select l.transfer_id as transfer, l.quantity - l.arrived - l.lost - l.returned as quantity,
      row_number() over (partition by t.destination order by t.created_at, t.id) as n
    from inventory.transfer_lines l join inventory.transfers t on t.id = l.transfer_id
    where l.sku = :sku and l.arrived + l.lost + l.returned < l.quantity and t.status = 'in_transit'
  ) w join inventory.transfers t on t.id = w.transfer
  group by t.destination
), there as (
  select coalesce(s.location, c.location) as location, s.sku is not null as stocked,
    coalesce(s.on_hand, 0) as on_hand, coalesce(s.held, 0) as held, coalesce(s.committed, 0) as committed,
    coalesce(s.shortfall, 0) as shortfall, s.short_since, coalesce(s.safety_stock, 0) as safety_stock,
    coalesce(s.backorder_limit, 0) as backorder_limit, s.withdrawn, s.low_at, s.policy_at,
    coalesce(c.incoming, 0) as incoming, c.coming_by
  from (select * from inventory.stock where sku = :sku) s full join coming c using (location)
)
select s.*, b.*, p.*,
  case when l.closed_at is null and not s.withdrawn then greatest(0, {UNSOLD}) else 0 end as available
from there s join inventory.locations l on l.id = s.location
cross join lateral (
  select coalesce(jsonb_agg(jsonb_build_object('entry', id, 'quantity', quantity, 'brought', delta, 'reason', reason,
      'actor', actor, 'note', note, 'event', event, 'cause', cause, 'order_id', order_id, 'transfer', transfer,
      'at', at, 'recorded_at', recorded_at)
      order by n) filter (where n <= :shown and quantity > 0), '[]') as brought_by,
    coalesce(sum(quantity) filter (where n <= :shown), 0)::bigint as brought, count(*) > :shown as brought_before
  from (
    select e.*, greatest(0, least(delta, s.on_hand - (sum(delta) over (order by n) - delta)))::bigint as quantity
    from (
      select *, row_number() over (order by recorded_at desc, id desc) as n
      from (
        select * from inventory.ledger
        where (sku, location, recorded_at) >= (:sku, s.location, '-infinity')
          and (sku, location, recorded_at) <= (:sku, s.location, 'infinity') and delta > 0 and s.on_hand > 0
        order by sku desc, location desc, recorded_at desc, id desc limit :shown + 1
      ) newest
    ) e
  ) e
) b
cross join lateral (
  select coalesce(sum(open) filter (where status = 'HELD'), 0)::bigint as held_by_orders,
    coalesce(sum(open) filter (where status = 'COMMITTED'), 0)::bigint as committed_by_orders,
    coalesce(jsonb_agg(jsonb_build_object('order_id', order_id, 'status', status, 'quantity', open,
        'since', created_at, 'expires_at', case when status = 'HELD' then expires_at end,
        'backordered', waits - short, 'short', short)
      order by promised) filter (where n <= :shown), '[]') as promised_to,
    count(*) filter (where n > :shown) as orders,
    coalesce(sum(open) filter (where n > :shown and status = 'HELD'), 0)::bigint as also_held,
    coalesce(sum(open) filter (where n > :shown and status = 'COMMITTED'), 0)::bigint as also_committed,
    coalesce(sum(waits - short) filter (where n > :shown), 0)::bigint as also_backordered,
    coalesce(sum(short) filter (where n > :shown), 0)::bigint as also_short
  from (
    select *, row_number() over (order by waits = 0, promised) as n
    from (
      select *, least(open, greatest(0, promised - s.on_hand)) as waits,
        least(open, greatest(0, promised - s.on_hand - s.backorder_limit)) as short
      from ({promises(":sku", "s.location")}) as promises
    ) promises
  ) promises
) p
order by l.priority, l.id
""")  # noqa: S608 - of constants


class Layer(View):
    """Units that are there, of those that a ledger entry has `brought`."""

    entry: int
    quantity: int
    brought: int
    reason: str
    actor: str
    note: str | None
    event: str | None
    cause: str | None
    order_id: UUID | None
    transfer: UUID | None
    at: datetime
    recorded_at: datetime


class Promised(View):
    """Units promised to an order; a hold that is paid for does not expire.

    Of them `backordered` wait for goods as they may, and `short` are beyond what may wait.
    """

    order_id: UUID
    status: Literal["HELD", "COMMITTED"]
    quantity: int
    since: datetime
    expires_at: datetime | None
    backordered: int
    short: int


class AlsoPromised(View):
    """The sum of what is promised to orders that are not listed."""

    orders: int
    held: int
    committed: int
    backordered: int
    short: int


class Coming(View):
    """Units on their way; without an `origin` they come from a supplier."""

    transfer: UUID
    origin: str | None
    quantity: int
    since: datetime
    expected_at: datetime | None
    reference: str | None
    actor: str


class Policy(View):
    """What is not sold, what may be promised beyond what is there, and when that was last said.

    Of what is `withdrawn` nothing more is promised: the location is closing, or is closed.
    """

    withdrawn: bool
    safety_stock: int
    backorder_limit: int
    low_at: int | None
    set_at: datetime | None


class Unexplained(View):
    """What counters say beyond the ledger and the holds; other than 0 it is wrong, and a reconciliation says why."""

    on_hand: int
    held: int
    committed: int


class WhyAt(CountsAt):
    """The counts at a location, each with what it is made of.

    `on_hand` is the sum of `brought_by`, newest first, and of `brought_before` by older entries. `held` and `committed`
    are the sums of `promised_to`, in the order in which they are served, and of `also_promised`. `incoming` is the sum
    of `coming_by`, oldest first, and of `also_coming`. `unexplained` belongs to each.
    """

    short_since: datetime | None
    brought_by: list[Layer]
    brought_before: int
    promised_to: list[Promised]
    also_promised: AlsoPromised
    coming_by: list[Coming]
    also_coming: int
    policy: Policy
    unexplained: Unexplained


async def why(work: Work, sku: str, shown: int) -> list[WhyAt]:
    """By location, in the order in which they are served. Of everything so many are shown at each, the rest summed."""
    return [_why_at(row) for row in await work.db.all(WHY, sku=sku, shown=shown)]


def _why_at(row: Row) -> WhyAt:
    coming = [Coming(**one) for one in row.coming_by or ()]
    rest = row.on_hand - row.brought
    return WhyAt(
        **{name: getattr(row, name) for name in CountsAt.model_fields},
        short_since=row.short_since,
        brought_by=[Layer(**one) for one in row.brought_by],
        brought_before=rest if row.brought_before else 0,
        promised_to=[Promised(**one) for one in row.promised_to],
        also_promised=AlsoPromised(
            orders=row.orders,
            held=row.also_held,
            committed=row.also_committed,
            backordered=row.also_backordered,
            short=row.also_short,
        ),
        coming_by=coming,
        also_coming=row.incoming - sum(one.quantity for one in coming),
        policy=Policy(
            withdrawn=bool(row.withdrawn),
            safety_stock=row.safety_stock,
            backorder_limit=row.backorder_limit,
            low_at=row.low_at,
            set_at=row.policy_at,
        ),
        unexplained=Unexplained(
            on_hand=0 if row.brought_before else rest,
            held=row.held - row.held_by_orders,
            committed=row.committed - row.committed_by_orders,
        ),
    )


def summed(levels: Sequence[WhyAt], name: str) -> int:
    return sum(getattr(level, name) for level in levels)
