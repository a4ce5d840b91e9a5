"""Counts uses of discounts: never more than there may be, and given back when an order ends without a sale."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import text

from shared.orders import pricing_metrics
from shared.orders.discounts import REFUSALS
from shared.orders.pricing import refused
from shared.orders.problems import Fault
from shared.runtime import Work

# Whoever changes the counters of several discounts locks them by code first, so that no two wait for each other.
LOCK = text("""
select code from orders.discounts where code = any(cast(:codes as text[])) order by code for no key update
""")

# A new snapshot after the lock: the condition is of the counters that the one before has left.
USE = text("""
update orders.discounts set uses = uses + 1
where code = any(cast(:codes as text[])) and enabled and (most_uses is null or uses < most_uses)
returning code
""")

USE_OF_CUSTOMER = text("""
insert into orders.discount_customers as c (code, customer, uses, most)
select code, :customer, 1, most_per_customer from orders.discounts
where code = any(cast(:codes as text[])) and most_per_customer is not null
on conflict (code, customer) do update set uses = c.uses + 1, most = excluded.most where c.uses < excluded.most
returning code
""")

LIMITED = text("""
select code from orders.discounts where code = any(cast(:codes as text[])) and most_per_customer is not null
""")

KEEP = text("""
insert into orders.discount_uses (code, order_id, customer, amount_minor, used_at)
select d.code, :order_id, case when d.most_per_customer is not null then :customer end, u.amount_minor, :now
from unnest(cast(:codes as text[]), cast(:amounts as bigint[])) as u (code, amount_minor)
join orders.discounts d on d.code = u.code
""")

LOCK_OF_ORDERS = text("""
select code from orders.discounts
where code in (
  select code from orders.discount_uses where order_id = any(cast(:orders as uuid[])) and given_back_at is null)
order by code for no key update
""")

GIVE_BACK = text("""
with given as (
  update orders.discount_uses set given_back_at = :now
  where order_id = any(cast(:orders as uuid[])) and given_back_at is null
  returning code, customer
), of_customers as (
  update orders.discount_customers c set uses = c.uses - g.uses
  from (select code, customer, count(*) as uses from given group by code, customer) g
  where c.code = g.code and c.customer = g.customer
)
update orders.discounts d set uses = d.uses - g.uses
from (select code, count(*) as uses from given group by code) g
where d.code = g.code
returning g.uses
""")

FORGET = text("""
with guests as (
  select u.code, u.order_id, u.customer, u.given_back_at
  from orders.discount_uses u join orders.orders o on o.id = u.order_id
  where u.order_id = any(cast(:orders as uuid[])) and u.customer is not null and o.customer_id is null
), unnamed as (
  update orders.discount_uses u set customer = null
  from guests g where u.order_id = g.order_id and u.code = g.code
)
update orders.discount_customers c set uses = c.uses - g.uses
from (select code, customer, count(*) as uses from guests where given_back_at is null group by code, customer) g
where c.code = g.code and c.customer = g.customer
""")
FORGET_WHO_USED_NONE = text("""
delete from orders.discount_customers where uses = 0 and customer like 'guest:%'
  and code in (select code from orders.discount_uses where order_id = any(cast(:orders as uuid[])))
""")


async def use(work: Work, order_id: UUID, customer: str, amounts: Mapping[str, int], pointers: Sequence[str]) -> None:
    """Uses each discount once for the order. `pointers` are the codes as the request names them.

    Raises OrderRefused for those that others have used up since they were read.
    """
    codes = sorted(amounts)
    await work.db.send(LOCK, codes=codes)
    used = work.db.enqueue(USE, codes=codes)
    limited = work.db.enqueue(LIMITED, codes=codes)
    by_customer = work.db.enqueue(USE_OF_CUSTOMER, codes=codes, customer=customer)
    await work.db.send(
        KEEP, codes=codes, amounts=[amounts[code] for code in codes], order_id=order_id, customer=customer, now=work.now
    )
    over = set(codes) - {row.code for row in await used.all()}
    over_customer = {row.code for row in await limited.all()} - {row.code for row in await by_customer.all()}
    faults = [
        Fault(f"/discount_codes/{n}", refusal, REFUSALS[refusal])
        for n, code in enumerate(pointers)
        for refusal, refused_codes in (("discount_used_up", over), ("discount_used_by_customer", over_customer))
        if code in refused_codes
    ]
    if faults:
        raise refused(faults)
    pricing_metrics.DISCOUNTS.labels("taken").inc(len(codes))


async def give_back(work: Work, order_ids: Iterable[UUID]) -> None:
    """Once for each order, however often it is asked for."""
    orders = sorted(set(order_ids))
    await work.db.send(LOCK_OF_ORDERS, orders=orders)
    given = await work.db.all(GIVE_BACK, orders=orders, now=work.now)
    pricing_metrics.DISCOUNTS.labels("given_back").inc(sum(row.uses for row in given))


async def forget_guests(work: Work, order_ids: Sequence[UUID]) -> None:
    """Whoever used discounts for these orders as a guest is nobody any more. All uses together count as before."""
    orders = list(order_ids)
    await work.db.send(LOCK_OF_ORDERS, orders=orders)
    await work.db.send(FORGET, orders=orders)
    await work.db.send(FORGET_WHO_USED_NONE, orders=orders)
