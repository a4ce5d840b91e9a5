"""Count what is sold, for the order by best-selling (PROD-008)."""

from collections.abc import Sequence

from sqlalchemy import text

from shared.catalog.tables import sales
from shared.orders.events import OrderConfirmed
from shared.orders.tables import order_lines
from shared.runtime import Work, on_event

COUNT = text("""
insert into catalog.sales as s (sku, units, ranked)
select sku, sum(quantity), false from orders.order_lines
where order_id = any(cast(:orders as uuid[])) group by sku order by sku
on conflict (sku) do update set units = s.units + excluded.units, ranked = false
""")


@on_event(OrderConfirmed, reads=[order_lines], writes=[sales], together=64, patient=True)
async def count_sales(events: Sequence[OrderConfirmed], work: Work) -> None:
    """What comes back later stays counted: it was sold."""
    await work.db.send(COUNT, orders=sorted({event.order_id for event in events}))
