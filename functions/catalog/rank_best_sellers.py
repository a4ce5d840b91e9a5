"""Bring the units sold to where lists sort by them (PROD-008)."""

from sqlalchemy import text

from shared.catalog.tables import sales, search_entries, variants
from shared.runtime import Work, timer

AT_ONCE = 1_000
"""So many SKUs are taken up by one tick."""

TAKE_UP = text("""
update catalog.sales set ranked = true
where sku in (select sku from catalog.sales where not ranked order by sku limit :count for update skip locked)
returning sku
""")

# A statement of its own: it sees every sale that was counted until the rows above were had.
RANK = text("""
update catalog.search_entries s set units_sold = now.units
from (
  select v.product_id, sum(sales.units)::bigint as units
  from catalog.variants v join catalog.sales on sales.sku = v.sku
  where v.product_id in (select product_id from catalog.variants where sku = any(cast(:skus as text[])))
  group by v.product_id
) as now
where s.product_id = now.product_id and s.units_sold <> now.units
""")


@timer("*/30 * * * * *", reads=[variants], writes=[sales, search_entries])
async def rank_best_sellers(work: Work) -> None:
    """In batches: the row that searches read has many indexes, and need not change with every order."""
    skus = [row.sku for row in await work.db.all(TAKE_UP, count=AT_ONCE)]
    if skus:
        await work.db.send(RANK, skus=skus)
