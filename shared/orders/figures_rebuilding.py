"""What facts and sums must be, found afresh from the books, and how what is there differs from it.

First the facts are held against the books, order by order, then the sums against the facts, day by day. An order whose
event is on its way shows as a difference that the event, or the mending, ends.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text

from shared.orders.figures import COLUMNS
from shared.orders.queries import PRODUCTS, TOTALS
from shared.runtime import Work
from shared.runtime.pipeline import Row

PartName = Literal["facts", "days"]

FACTS_DIFFER = """
select order_id, id, kind, f.day as was_of, n.day as is_of, case
    when f.order_id is null then 'missing'
    when n.order_id is null then 'stray'
    else concat_ws(', ',
      case when f.day <> n.day then 'day' end,
      case when f.currency <> n.currency then 'currency' end,
      case when f.reason <> n.reason then 'reason' end,
      case when f.amount_minor <> n.amount_minor then 'amount' end,
      case when f.units <> n.units then 'units' end)
  end as what
from (select * from orders.sales_facts_now where {chosen}) n
full join (select * from orders.sales_facts where {chosen}) f using (order_id, kind, id)
where f.order_id is null or n.order_id is null
  or (f.day, f.currency, f.reason, f.amount_minor, f.units)
     is distinct from (n.day, n.currency, n.reason, n.amount_minor, n.units)
"""

DAYS_DIFFER = f"""
select day, 'totals' as what
from ({TOTALS.format(facts="orders.sales_facts where {chosen}")}) n
full join (select * from orders.sales_days where {{chosen}}) d using (day, currency, country, kind, reason)
where (n.facts, n.amount_minor, n.units) is distinct from (d.facts, d.amount_minor, d.units)
union all
select day, 'products'
from ({PRODUCTS.format(facts="(select * from orders.sales_facts where {chosen})")}) n
full join (select * from orders.product_days where {{chosen}}) d using (day, currency, country, category, sku, kind)
where (n.amount_minor, n.units) is distinct from (d.amount_minor, d.units)
"""  # noqa: S608 - of constants

FIND_FACTS = text(f"""
with batch as materialized (
  select order_id from (
    (select id as order_id from orders.orders where id > cast(:after as uuid) order by id limit :count)
    union
    (select order_id from orders.sales_facts where order_id > cast(:after as uuid)
     group by order_id order by order_id limit :count)
  ) o order by order_id limit :count
)
select b.order_id as key, d.*
from batch b left join ({FACTS_DIFFER.format(chosen="order_id = any(array(select order_id from batch))")}) d
  on d.order_id = b.order_id
order by b.order_id, d.kind, d.id
""")  # noqa: S608 - of constants

FIND_DAYS = text(f"""
with batch as materialized (
  select day from (
    (select day from orders.sales_facts where day > cast(:after as date) group by day order by day limit :count)
    union
    (select day from orders.sales_days where day > cast(:after as date) group by day order by day limit :count)
    union
    (select day from orders.product_days where day > cast(:after as date) group by day order by day limit :count)
  ) o order by day limit :count
)
select b.day as key, d.what, count(*) as rows
from batch b left join ({DAYS_DIFFER.format(chosen="day = any(array(select day from batch))")}) d on d.day = b.day
group by b.day, d.what order by b.day, d.what
""")  # noqa: S608 - of constants

# Who counts waits for as long as a batch takes to be mended.
LOCK = text("lock table orders.sales_facts, orders.sales_days, orders.product_days in share row exclusive mode")

FORGET_FACTS = text("""
delete from orders.sales_facts f
using unnest(cast(:orders as uuid[]), cast(:kinds as text[]), cast(:ids as uuid[])) as wrong (order_id, kind, id)
where (f.order_id, f.kind, f.id) = (wrong.order_id, wrong.kind, wrong.id)
""")

PUT_FACTS = text(f"""
insert into orders.sales_facts ({COLUMNS})
select {COLUMNS} from orders.sales_facts_now where order_id = any(cast(:orders as uuid[]))
on conflict do nothing
""")  # noqa: S608 - of constants

_OF_DAYS = "day = any(cast(:days as date[]))"

SUM_UP_ANEW = (
    text(f"delete from orders.sales_days where {_OF_DAYS}"),  # noqa: S608 - of constants
    text(f"delete from orders.product_days where {_OF_DAYS}"),  # noqa: S608 - of constants
    text(f"""
insert into orders.sales_days (day, currency, country, kind, reason, facts, amount_minor, units)
{TOTALS.format(facts=f"orders.sales_facts where {_OF_DAYS}")}
"""),
    text(f"""
insert into orders.product_days (day, currency, country, category, sku, kind, amount_minor, units)
{PRODUCTS.format(facts=f"(select * from orders.sales_facts where {_OF_DAYS})")}
"""),  # noqa: S608 - of constants
)


async def _count_anew(work: Work, wrong: Sequence[Row]) -> None:
    await work.db.send(
        FORGET_FACTS,
        orders=[row.order_id for row in wrong],
        kinds=[row.kind for row in wrong],
        ids=[row.id for row in wrong],
    )
    await work.db.send(PUT_FACTS, orders=sorted({row.order_id for row in wrong}))
    await _sum_up_anew(work, {day for row in wrong for day in (row.was_of, row.is_of) if day is not None})


async def _mend_days(work: Work, wrong: Sequence[Row]) -> None:
    await _sum_up_anew(work, {row.key for row in wrong})


async def _sum_up_anew(work: Work, days: Collection[date]) -> None:
    for statement in SUM_UP_ANEW:
        await work.db.send(statement, days=sorted(days))


class Part(NamedTuple):
    """`find` gives rows by key, in its order: what differs at it, or nothing once."""

    find: TextClause
    first: str
    key: Callable[[str], Any]
    tells: Callable[[Row], str]
    mend: Callable[[Work, Sequence[Row]], Awaitable[None]]


PARTS: dict[str, Part] = {
    "facts": Part(FIND_FACTS, str(UUID(int=0)), UUID, lambda row: f"{row.kind}: {row.what}", _count_anew),
    "days": Part(FIND_DAYS, "0001-01-01", date.fromisoformat, lambda row: f"{row.what}: {row.rows} rows", _mend_days),
}
