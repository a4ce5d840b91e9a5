"""Forgets who somebody is, and keeps what the books need: orders, lines, totals, payments stay as they are.

Events have nothing personal in them, so that none has to be altered. Erased are addresses, e-mail, the payment token,
the text of notes, the customer's row, the answers that are kept for a day under an Idempotency-Key, and by what a guest
was known to discounts.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from shared.orders.desk_problems import OrdersStillOpen
from shared.orders.desk_tables import erasable_notes, forgettable_discount_customers
from shared.orders.discount_uses import forget_guests
from shared.orders.pricing_tables import discount_uses, discounts
from shared.orders.tables import orders as orders_table
from shared.platform.tables import idempotency
from shared.runtime import Work
from shared.runtime.pipeline import Row

AT_ONCE = 2000
"""So many orders are erased by one call."""

FORGOTTEN_TOKEN = "erased"  # noqa: S105 - what stands where a token was

LEFT = f"""(email is not null or shipping_address is not null or billing_address is not null
    or payment_token <> '{FORGOTTEN_TOKEN}' or exists (
      select from orders.notes n where n.order_id = o.id and n.erased_at is null))"""

OF_CUSTOMER = text(f"""
select o.id, o.status, o.fulfilment, o.shipping_address is not null as goes_to
from orders.orders o where o.customer_id = :person and {LEFT}
order by o.id limit :most for update of o
""")  # noqa: S608 - of constants

OF_GUEST = text(f"""
select o.id, o.status, o.fulfilment, o.shipping_address is not null as goes_to
from orders.orders o
where lower(o.email) = lower(:person) and o.customer_id is null and {LEFT}
order by o.id limit :most for update of o
""")  # noqa: S608 - of constants

ORDERS = text(f"""
update orders.orders set email = null, shipping_address = null, billing_address = null,
  payment_token = '{FORGOTTEN_TOKEN}', erased_at = :now, version = version + 1
where id = any(cast(:orders as uuid[]))
""")  # noqa: S608 - of constants

NOTES = text("""
update orders.notes set text = null, erased_at = :now
where order_id = any(cast(:orders as uuid[])) and erased_at is null
""")

# A repeated request is answered by what is kept here: that shows the order as it was, but not whose it was. Keys that
# are kept for longer than a day answer with nothing personal.
ANSWERS = text("""
with kept as materialized (
  select function, principal, route, key, cast(convert_from(body, 'UTF8') as jsonb) as said
  from platform.idempotency
  where function like 'fn\\_%order%' and expires_at < now() + interval '2 days'
    and body <> '' and headers ->> 'content-type' = 'application/json'
)
update platform.idempotency i set body = convert_to((
    said || (select coalesce(jsonb_object_agg(name, null), '{}') from unnest(array[
      'email', 'shipping_address', 'billing_address', 'text']) as name where said ? name))::text, 'UTF8')
from kept k
where (i.function, i.principal, i.route, i.key) = (k.function, k.principal, k.route, k.key)
  and jsonb_typeof(said) = 'object'
  and coalesce(said ->> 'order_id', said ->> 'id') = any(cast(:orders as text[]))
  and said ?| array['email', 'shipping_address', 'billing_address', 'text']
""")

CUSTOMER = text("""
update orders.customers set name = null, email = null, country = null, erased_at = :now, updated_at = :now
where id = :person and (name is not null or email is not null or country is not null)
""")


ERASES = (orders_table, erasable_notes, idempotency, discounts, forgettable_discount_customers, discount_uses)
"""What `erase` writes."""


async def erase(work: Work, orders: Sequence[UUID]) -> None:
    """Erases what these orders, locked, say of a person."""
    if not orders:
        return
    ids = list(orders)
    await work.db.send(ORDERS, orders=ids, now=work.now)
    await work.db.send(NOTES, orders=ids, now=work.now)
    await work.db.send(ANSWERS, orders=[str(one) for one in ids])
    await forget_guests(work, ids)


MOVING = frozenset({"pending", "awaiting_customer", "cancelling"})
GONE = frozenset({"shipped", "delivered"})


def check_ended(found: Sequence[Row], *, sent_too: bool) -> None:
    """Raises OrdersStillOpen. Without a payment token or an address, what is under way could not go on."""
    moving = [row.id for row in found if row.status in MOVING]
    to_be_sent = [row.id for row in found if row.status == "confirmed" and row.fulfilment not in GONE and row.goes_to]
    if moving or (to_be_sent and not sent_too):
        raise OrdersStillOpen(moving=moving[:20], to_be_sent=[] if sent_too else to_be_sent[:20])
