"""What the tables say of a SKU, for those who read them without knowing how they are written."""

from sqlalchemy import text

from shared.inventory.items import LOW_AT

UNSOLD = "s.on_hand - s.held - s.committed - s.safety_stock"


def standings(skus: str) -> str:
    """SQL for a row for each of `skus`, an expression for an array of distinct ones, in the order of the SKUs.

    A SKU that was never heard of is tracked, and there is nothing of it. `status` is what was told of it last.
    """
    return f"""
select asked.sku, coalesce(i.tracked, true) as tracked, coalesce(i.low_at, {LOW_AT}) as low_at,
  coalesce(i.status, 'out_of_stock') as status, coalesce(s.available, 0) as available,
  coalesce(s.promisable, 0) as promisable
from unnest({skus}) as asked (sku)
left join inventory.items i on i.sku = asked.sku
left join (
  select s.sku, sum(greatest(0, {UNSOLD}))::bigint as available,
    sum(greatest(0, {UNSOLD} + s.backorder_limit))::bigint as promisable
  from inventory.stock s join inventory.locations l on l.id = s.location and l.closed_at is null and not s.withdrawn
  where s.sku = any({skus})
  group by s.sku
) s on s.sku = asked.sku
order by asked.sku
"""  # noqa: S608 - of constants


def statuses(skus: str) -> str:
    """SQL for the status of each of `skus`, with what is available of it."""
    return f"select sku, status, available from ({standings(skus)}) as standings"  # noqa: S608 - as above


FITS = """
case
  when not tracked then status = 'in_stock'
  when available <= 0 then status = case when promisable > 0 then 'backorder' else 'out_of_stock' end
  when available <= low_at then status = 'low'
  when available <= low_at + low_at / 5 then status in ('low', 'in_stock')
  else status = 'in_stock'
end
"""
"""Whether a standing's status is what its counts say; a little above the threshold it may be either. A test holds this
against the rule in Python.
"""

STATUS_OF = text(statuses("cast(:skus as text[])"))
"""What the events of the topic shop.stock have told last: (sku, status, available) for each of `skus`."""


def promises(sku: str, location: str) -> str:
    """SQL for what is open of live holds on a SKU at a location; `promised` sums it up in the order of service.

    'COMMITTED' sorts, and is served, first.
    """
    return f"""
select l.order_id, h.status, h.created_at, h.expires_at, l.quantity - l.released - l.shipped as open,
  sum(l.quantity - l.released - l.shipped) over (order by h.status, h.created_at, h.order_id)::bigint as promised
from inventory.hold_lines l join inventory.holds h using (order_id)
where l.sku = {sku} and l.location = {location} and l.released + l.shipped < l.quantity
  and h.status in ('COMMITTED', 'HELD')
"""  # noqa: S608 - of constants


TOUCHED = text(f"""
select a.sku, a.location, p.order_id
from unnest(cast(:skus as text[]), cast(:locations as text[]), cast(:covered as bigint[]))
  with ordinality as a (sku, location, covered, n)
cross join lateral (
  select order_id, promised from ({promises("a.sku", "a.location")}) promises
  where promised > a.covered
  order by promised desc
  limit :count
) p
order by a.n, p.promised desc
""")  # noqa: S608 - of constants
"""The orders whose promises are not covered by so many units at each level, `count` of each at most."""
