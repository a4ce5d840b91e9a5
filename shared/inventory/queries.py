"""What the tables say of a SKU, for those who read them without knowing how they are written."""

from sqlalchemy import text

from shared.inventory.status import LOW_AT, STATUS


def standings(skus: str) -> str:
    """SQL for a row for each of `skus`, an expression for an array of distinct ones, in the order of the SKUs.

    A SKU that was never heard of is tracked, and there is nothing of it.
    """
    return f"""
select asked.sku, coalesce(i.tracked, true) as tracked, coalesce(i.low_at, {LOW_AT}) as low_at,
  coalesce(s.available, 0) as available
from unnest({skus}) as asked (sku)
left join inventory.items i on i.sku = asked.sku
left join (
  select s.sku, sum(greatest(0, s.on_hand - s.held - s.committed))::bigint as available
  from inventory.stock s join inventory.locations l on l.id = s.location and l.closed_at is null
  where s.sku = any({skus})
  group by s.sku
) s on s.sku = asked.sku
order by asked.sku
"""  # noqa: S608 - of constants


def statuses(skus: str) -> str:
    """SQL for the status of each of `skus`, with what is available of it."""
    return f"select sku, {STATUS} as status, available from ({standings(skus)}) as standings"  # noqa: S608 - as above


STANDINGS = text(standings("cast(:skus as text[])"))

STATUS_OF = text(statuses("cast(:skus as text[])"))
"""What the events of the topic shop.stock have told last: (sku, status, available) for each of `skus`."""
