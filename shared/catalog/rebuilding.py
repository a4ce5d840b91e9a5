"""What every derived row must be, found afresh from its source, and how it differs from what is there.

Each part is gone through in batches, by key, while the shop is open. Listings and words are written with their source,
so a difference is a defect. Stock and sales follow events: what is on its way counts as no difference of the sales, and
as one of the stock that the event, or the mending, ends.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text

from shared.catalog.listings import list_now, restock, unlist
from shared.inventory.queries import statuses
from shared.runtime import Work
from shared.runtime.pipeline import Row

PartName = Literal["stock", "sales", "listings", "words"]

LISTINGS = text("""
with batch as (
  (select id from catalog.products where id > cast(:after as uuid) order by id limit :count)
  union
  (select product_id from catalog.listings where product_id > cast(:after as uuid) order by product_id limit :count)
  union
  (select product_id from catalog.search_entries where product_id > cast(:after as uuid)
   order by product_id limit :count)
  order by 1 limit :count
)
select b.id as key, case
    when n.product_id is null then
      case when l.product_id is not null or s.product_id is not null then array['stray'] else '{}' end
    when l.product_id is null or s.product_id is null then array['missing']
    else array_remove(array[
      case when (l.version, l.document) is distinct from (n.version, n.document) then 'document' end,
      case when (l.stock_at, l.stock, s.availability) is distinct from (n.stock_at, n.stock, n.availability)
        then 'stock' end,
      case when (s.category_id, s.title_key, s.price_minor, s.currency, s.published_at, s.attributes, s.about,
          s.lexemes)
        is distinct from
        (n.category_id, n.title_key, n.price_minor, n.currency, n.published_at, n.attributes, n.about, n.lexemes)
        then 'search' end,
      case when s.units_sold <> n.units_sold and not exists (
          select from catalog.variants v join catalog.sales on sales.sku = v.sku and not sales.ranked
          where v.product_id = b.id)
        then 'units_sold' end,
      case when exists (
          select from catalog.words_of(n.title_key, n.attributes) as said (word)
          where not exists (select from catalog.words w where w.word = said.word))
        then 'words' end
    ], null)
  end as differences
from batch b
left join catalog.listings_now n on n.product_id = b.id
left join catalog.listings l on l.product_id = b.id
left join catalog.search_entries s on s.product_id = b.id
order by b.id
""")

WORDS = text("""
select w.word as key, case
    when exists (select from catalog.search_entries s where s.lexemes @@ cast('''' || w.word || '''' as tsquery))
    then array[]::text[] else array['stray'] end as differences
from catalog.words w where w.word > :after order by w.word limit :count
""")

FORGET_WORDS = text("delete from catalog.words where word = any(cast(:keys as text[]))")

# A SKU's status and the head of its stream change together, so what the tables say is as new as the stream is here.
STOCK = text(f"""
with batch as (
  (select sku from catalog.variants where sku > :after order by sku limit :count)
  union
  (select sku from catalog.stock where sku > :after order by sku limit :count)
  order by 1 limit :count
)
select now.sku as key, now.status, coalesce(head.sequence, 0) as sequence,
  case when now.status <> coalesce(s.status, 'out_of_stock') then array['status'] else '{{}}' end as differences
from ({statuses("array(select sku from batch)")}) as now
left join catalog.stock s on s.sku = now.sku
left join platform.streams head on head.topic = 'shop.stock' and head.key = now.sku
order by now.sku
""")  # noqa: S608 - of constants

SET_STOCK = text("""
insert into catalog.stock as s (sku, status, sequence, status_sequence, as_of)
select sku, status, sequence, sequence, :now
from unnest(cast(:skus as text[]), cast(:statuses as text[]), cast(:sequences as bigint[]))
  as now (sku, status, sequence)
on conflict (sku) do update set status = excluded.status, sequence = excluded.sequence,
  status_sequence = excluded.sequence, as_of = excluded.as_of
  where s.sequence <= excluded.sequence
returning product_id
""")

# The units of all orders that were ever confirmed, but of those whose event is still on its way to count_sales.
SALES = text("""
with coming as (
  select cast(o.key as uuid) as order_id from platform.outbox o
  where o.type = 'shop.orders.order.confirmed.v1' and not exists (
    select from platform.inbox i where i.consumer = 'count-sales' and i.source = o.source and i.event_id = o.id)
), now as (
  select l.sku, sum(l.quantity)::bigint as units
  from orders.saga_moves m join orders.order_lines l on l.order_id = m.order_id
  where m.cause = 'HoldCommitted' and m.to_state in ('capturing', 'completed')
    and m.order_id not in (select order_id from coming)
  group by l.sku
)
select coalesce(n.sku, s.sku) as key, n.units,
  case when coalesce(n.units, 0) is distinct from s.units then array['units'] else '{}' end as differences
from now n full join catalog.sales s on s.sku = n.sku
where coalesce(n.sku, s.sku) > :after
order by 1 limit :count
""")

LOCK_SALES = text("lock table catalog.sales in share row exclusive mode")

RECOUNT = text("""
insert into catalog.sales as s (sku, units, ranked)
select sku, units, false from unnest(cast(:skus as text[]), cast(:units as bigint[])) as n (sku, units)
on conflict (sku) do update set units = excluded.units, ranked = false
""")


async def _set_stock(work: Work, wrong: Sequence[Row]) -> None:
    columns = {"skus": "key", "statuses": "status", "sequences": "sequence"}
    told = {name: [getattr(row, column) for row in wrong] for name, column in columns.items()}
    rows = await work.db.all(SET_STOCK, **told, now=work.now)
    await restock(work, sorted({row.product_id for row in rows if row.product_id}))


async def _relist(work: Work, wrong: Sequence[Row]) -> None:
    products = [row.key for row in wrong]
    await unlist(work, [row.key for row in wrong if "stray" in row.differences])
    await list_now(work, products)


async def _forget_words(work: Work, wrong: Sequence[Row]) -> None:
    await work.db.send(FORGET_WORDS, keys=[row.key for row in wrong])


async def _recount(work: Work, wrong: Sequence[Row]) -> None:
    await work.db.send(RECOUNT, skus=[row.key for row in wrong], units=[row.units or 0 for row in wrong])


class Part(NamedTuple):
    """`find` gives a row per key with its differences; `lock` comes before it where what is found is to be mended."""

    find: TextClause
    first: str
    key: Callable[[str], Any]
    mend: Callable[[Work, Sequence[Row]], Awaitable[None]]
    lock: TextClause | None = None


PARTS: dict[str, Part] = {
    "stock": Part(STOCK, "", str, _set_stock),
    "listings": Part(LISTINGS, str(UUID(int=0)), UUID, _relist),
    "words": Part(WORDS, "", str, _forget_words),
    "sales": Part(SALES, "", str, _recount, LOCK_SALES),
}
