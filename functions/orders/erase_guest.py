"""Forget who a guest is, known by an e-mail address alone, and leave the books whole (ORD-013)."""

from pydantic import StrictBool

from shared.orders.audit import record
from shared.orders.desk import Reason
from shared.orders.erasing import AT_ONCE, ERASES, OF_GUEST, check_ended, erase
from shared.orders.finding import Email
from shared.orders.tables import audit
from shared.runtime import Request, View, Work, http


class EraseGuest(Request):
    """Letters of any case are the same. `sent_too`: also of orders that are paid and still to be sent."""

    email: Email
    reason: Reason
    sent_too: StrictBool = False


class ErasedGuestView(View):
    """`orders` were erased by this call; with `more` there are others left: call again."""

    orders: int
    more: bool


@http(
    "POST /v1/admin/guests/erase",
    role="admin",
    writes=[*ERASES, audit],
)
async def erase_guest(request: EraseGuest, work: Work) -> ErasedGuestView:
    """Orders of customers with an id are left to the erasure of that customer.

    An address that is nobody's has no orders, and that is no fault: it may have been erased before.

    Raises OrdersStillOpen, and then nothing is erased.
    """
    found = await work.db.all(OF_GUEST, person=request.email, most=AT_ONCE + 1)
    check_ended(found, sent_too=request.sent_too)
    orders_now = [row.id for row in found[:AT_ONCE]]
    await erase(work, orders_now)
    if orders_now:
        await record(work, "guest.erased", reason=request.reason, orders=len(orders_now))
    return ErasedGuestView(orders=len(orders_now), more=len(found) > AT_ONCE)
