"""How a location ends, and begins again: some SKUs at a time, so that no call locks the stock of a whole warehouse.

What is withdrawn stays where it is, and nothing more of it is promised. A location is closed once all of its stock is
withdrawn; it is opened first and takes its stock up again afterwards. So in between it gives some SKUs and not others,
and what is told of each SKU is true at any moment.
"""

from collections.abc import Sequence

from sqlalchemy import text

from shared.inventory.items import Items, lock_items
from shared.runtime import Work
from shared.runtime.pipeline import Row

AT_ONCE = 2_000
"""So many SKUs are withdrawn, moved or taken up by one call."""

BOUND = text("""
select coalesce(sum(on_hand), 0)::bigint as on_hand, coalesce(sum(held), 0)::bigint as held,
  coalesce(sum(committed), 0)::bigint as committed,
  coalesce(sum(greatest(0, held + committed - on_hand)), 0)::bigint as waiting,
  (
    select coalesce(sum(l.quantity - l.arrived - l.lost - l.returned), 0)::bigint
    from inventory.transfers t join inventory.transfer_lines l on l.transfer_id = t.id
    where t.destination = :location and t.status = 'in_transit'
  ) as incoming
from inventory.stock where location = :location
""")

GIVING = text("""
select sku, on_hand, count(*) over () as total from inventory.stock
where location = :location and (not withdrawn or :moving and on_hand > held + committed)
order by sku limit :count
""")

WITHDRAWN = text("""
select sku, count(*) over () as total from inventory.stock
where location = :location and withdrawn order by sku limit :count
""")

WITHDRAW = text("""
update inventory.stock set withdrawn = :withdrawn where location = :location and sku = any(cast(:skus as text[]))
""")

CLOSE = text("""
update inventory.locations set closed_at = :now, version = version + 1 where id = :location and closed_at is null
""")

OPEN = text("""
update inventory.locations set closed_at = null, version = version + 1
where id = :location and closed_at is not null
""")


async def withdraw(work: Work, location: str, rows: Sequence[Row], move_to: str | None) -> Items:
    """Locks these SKUs, and lets nothing more of them be promised at the location.

    Nothing is told of it yet. The location is locked, so that what is on hand there does not grow meanwhile: who has
    nothing on hand needs no level to move to.
    """
    levels = [(row.sku, move_to) for row in rows if row.on_hand] if move_to else []
    return await _set(work, location, [row.sku for row in rows], levels, withdrawn=True)


async def take_up(work: Work, location: str, rows: Sequence[Row]) -> Items:
    """Locks these SKUs, and lets the location, an open one, give them again. Nothing is told of it yet."""
    return await _set(work, location, [row.sku for row in rows], [], withdrawn=False)


async def _set(work: Work, location: str, skus: list[str], levels: list[tuple[str, str]], *, withdrawn: bool) -> Items:
    items = await lock_items(work, skus, levels)
    await work.db.send(WITHDRAW, location=location, skus=skus, withdrawn=withdrawn)
    for item in items.values():
        level = item.at(location)
        assert level is not None, "stock is never deleted"
        level.open = not withdrawn
    return items
