"""What an order's own customer may do to it, an account's or a guest's: cancel it, and pay it with another card."""

from uuid import UUID

from sqlalchemy import text

from shared.inventory.events import ExtendHold
from shared.orders.events import OrderCancelling, OrderCardChanged
from shared.orders.placing import HOLD_S
from shared.orders.problems import CannotCancel, CannotPay, TooManyCards, UnknownOrder
from shared.orders.progress import ANOTHER_CARD_AT_MOST, Sagas, Standing, lock_all
from shared.runtime import Work

CAME_BACK = text("select exists (select from orders.order_lines where order_id = :order_id and returned_quantity > 0)")

SET_TOKEN = text("update orders.orders set payment_token = :payment_token where id = :order_id")


async def lock_order(
    work: Work, order_id: UUID, *, insiders: tuple[str, ...] = (), by_link: bool = False
) -> tuple[Sagas, Standing]:
    """The order of this customer, of anybody for `insiders`, or what a link names. Raises UnknownOrder."""
    locked = await lock_all(work, [order_id], with_order=True)
    at = locked.standings.get(order_id)
    own = at is not None and at.customer_id is not None and at.customer_id == work.caller.subject
    if at is None or not (own or by_link or work.caller.has(*insiders)):
        raise UnknownOrder(order_id=order_id)
    return locked, at


async def cancel(work: Work, locked: Sagas, at: Standing, reason: str) -> None:
    """Raises CannotCancel when it has ended, is ending, or goods have left or came back."""
    gone = at.fulfilment != "unfulfilled" or await work.db.value(CAME_BACK, order_id=at.order_id)
    if gone or not locked.steer(at.order_id, OrderCancelling, reason):
        raise CannotCancel(order_id=at.order_id, status_now=at.status)
    await locked.save()


async def pay_anew(work: Work, locked: Sagas, at: Standing, payment_token: str) -> None:
    """Its stock is held for as long as after its placement, from now. Raises CannotPay, TooManyCards."""
    if at.status != "awaiting_customer":
        raise CannotPay(order_id=at.order_id, status_now=at.status)
    if at.tries.get("authorize", 1) >= ANOTHER_CARD_AT_MOST:
        raise TooManyCards(order_id=at.order_id, at_most=ANOTHER_CARD_AT_MOST)
    locked.change_card(at.order_id, payment_token)
    locked.steer(at.order_id, OrderCardChanged, "another card")
    work.emit(ExtendHold(order_id=at.order_id, expires_in_s=HOLD_S))
    await work.db.send(SET_TOKEN, order_id=at.order_id, payment_token=payment_token)
    await locked.save()
