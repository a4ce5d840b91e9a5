"""Forget who a customer is, and leave the books whole (ORD-013)."""

from typing import Annotated

from pydantic import Field, StrictBool
from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk import Reason
from shared.orders.desk_problems import UnknownCustomer
from shared.orders.erasing import AT_ONCE, CUSTOMER, ERASES, OF_CUSTOMER, check_ended, erase
from shared.orders.tables import audit, customers
from shared.runtime import Request, View, Work, http

KNOWN = text("""
select exists (select from orders.customers where id = :person)
  or exists (select from orders.orders where customer_id = :person)
""")


class EraseCustomer(Request):
    """`sent_too`: also of orders that are paid and still to be sent, which then have no address any more."""

    customer_id: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Reason
    sent_too: StrictBool = False


class ErasedView(View):
    """`orders` were erased by this call; with `more` there are others left: call again."""

    orders: int
    more: bool


@http(
    "POST /v1/admin/customers/{customer_id}/erase",
    role="admin",
    writes=[*ERASES, customers, audit],
)
async def erase_customer(request: EraseCustomer, work: Work) -> ErasedView:
    """Addresses, e-mail, name, payment tokens and the text of notes go; the rest stays, with the customer's id.

    Orders, lines, totals and payments are the books. What was erased before is left alone.

    Raises UnknownCustomer; OrdersStillOpen, and then nothing is erased.
    """
    person = request.customer_id
    if not await work.db.value(KNOWN, person=person):
        raise UnknownCustomer(customer_id=person)
    found = await work.db.all(OF_CUSTOMER, person=person, most=AT_ONCE + 1)
    check_ended(found, sent_too=request.sent_too)
    orders_now = [row.id for row in found[:AT_ONCE]]
    customer = await work.db.run(CUSTOMER, person=person, now=work.now)
    await erase(work, orders_now)
    if customer or orders_now:
        await record(work, "customer.erased", reason=request.reason, customer_id=person, orders=len(orders_now))
    return ErasedView(orders=len(orders_now), more=len(found) > AT_ONCE)
