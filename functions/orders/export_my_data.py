"""Give customers all that the shop keeps of them (ORD-013)."""

from functools import partial
from typing import Annotated
from uuid import UUID

from sqlalchemy import text

from shared.orders.desk_tables import notes
from shared.orders.tables import customers, order_lines, orders, returns
from shared.runtime import Rate, Stream, Work, http

AT_ONCE = 100
"""So many orders are read for one piece."""

CUSTOMER = text("""
select coalesce((
  select to_jsonb(c) from (
    select id, name, email, country, created_at, updated_at from orders.customers where id = :subject) c),
  jsonb_build_object('id', cast(:subject as text)))::text
""")

# Each line of the file is whole by itself: one kind of thing, and what is kept of it.
ORDERS = text("""
select o.id, jsonb_build_object('order', to_jsonb(o) || jsonb_build_object(
  'lines', (
    select jsonb_agg(to_jsonb(l) order by l.line_no) from (
      select line_no, sku, title, quantity, unit_price_minor, discount_minor, tax_minor, total_minor, shipped_quantity,
        cancelled_quantity, returned_quantity
      from orders.order_lines where order_id = o.id) l),
  'notes', (
    select coalesce(jsonb_agg(jsonb_build_object('at', n.at, 'text', n.text) order by n.id), '[]')
    from orders.notes n where n.order_id = o.id and n.text is not null)))::text as said
from (
  select id, number, reference, placed_at, status, fulfilment, currency, subtotal_minor, discount_minor, shipping_minor,
    tax_minor, total_minor, refunded_minor, email, shipping_address, billing_address, country, shipping_method,
    discount_codes, tags
  from orders.orders where customer_id = :subject and id > :after order by id limit :count
) o order by o.id
""")

RETURNS = text("""
select jsonb_build_object('return', to_jsonb(r))::text as said from (
  select id, sku, quantity, unit_price_minor, currency, returned_at, reason
  from orders.returns where customer_id = :subject order by returned_at, id limit 10000) r
""")

FIRST = UUID(int=0)


@http(
    "GET /v1/me/data",
    role="customer",
    rate=Rate(per_s=0.1, burst=5),
    reads=[customers, orders, order_lines, notes, returns],
)
async def export_my_data(work: Work) -> Annotated[Stream, "application/x-ndjson"]:
    """A file of JSON, one thing to a line: the customer, each order with its lines and what was noted, each return.

    Cards are the payment provider's to tell of: the shop keeps none.
    """
    return Stream("application/x-ndjson", partial(_piece, work.caller.subject), "my-data.ndjson")


async def _piece(subject: str, after: UUID | None, work: Work) -> tuple[bytes, UUID | None]:
    said: list[str] = []
    if after is None:
        said.append('{"customer": ' + await work.db.value(CUSTOMER, subject=subject) + "}")
    rows = await work.db.all(ORDERS, subject=subject, after=after or FIRST, count=AT_ONCE)
    said += [row.said for row in rows]
    last = rows[-1].id if len(rows) == AT_ONCE else None
    if last is None:
        said += [row.said for row in await work.db.all(RETURNS, subject=subject)]
    return "".join(f"{one}\n" for one in said).encode(), last
