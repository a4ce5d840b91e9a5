"""Money back for units or for an amount, with the goods back on the shelf where they are there already."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.inventory.events import RestockGoods
from shared.orders.asking import Lines, summed
from shared.orders.fulfilling import SAID, Fulfilling, Order
from shared.orders.fulfilment import DELIVERED, SHIPPED, Fulfilment
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refunds, steps
from shared.orders.refund_requests import worth
from shared.orders.refunding import refund
from shared.orders.steps import RESTOCK, StepLine
from shared.orders.tables import audit, order_lines, orders, sagas
from shared.payments.events import RefundPayment
from shared.runtime import Request
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import Minor

WRITES = (orders, order_lines, sagas, fulfilments, fulfilment_lines, steps, refunds, audit)
EMITS = (RefundPayment, RestockGoods, *SAID)

Location = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._\-]{0,62}[A-Za-z0-9])?$", examples=["LON"])]


class PayBack(Request):
    """Units that have left, or an amount, or both: then the amount is what is paid for the units.

    `restock_at` is the location where the units are, to be sold again.
    """

    lines: Lines | None = None
    amount_minor: Annotated[Minor, Field(gt=0)] | None = None
    restock_at: Location | None = None

    def check(self) -> None:
        """Raises ValidationFailed where goods are to be restocked, and it is not said which."""
        if self.restock_at is not None and not self.lines:
            raise ValidationFailed(errors=[{"pointer": "/restock_at", "detail": "Say by `lines` what comes back."}])


async def pay_back(
    locked: Fulfilling,
    order: Order,
    *,
    lines: dict[int, int],
    amount_minor: int | None,
    restock_at: str | None,
    source: str,
    reason: str,
    request_id: UUID | None = None,
) -> UUID:
    """Units that are paid back have come back, as far as it counts. Raises what `refund` and `worth` raise."""
    amount = amount_minor
    if lines:
        cost = worth(order, lines)
        amount = amount_minor if amount_minor is not None else min(cost, order.refundable_minor)
    step = await refund(locked, order, amount or 0, source=source, reason=reason, request_id=request_id)
    take_back(locked, order, lines)
    if restock_at is not None:
        restock(locked, order, lines, restock_at, reason)
    return step.id


def take_back(locked: Fulfilling, order: Order, lines: dict[int, int]) -> None:
    """Counts them as returned."""
    for no, units in lines.items():
        order.lines[no].returned += units
    note_come_back(locked, order)


def note_come_back(locked: Fulfilling, order: Order) -> None:
    """A fulfilment has come back when no unit of its lines is with the customer any more."""
    for one in order.fulfilments.values():
        if one.status in (SHIPPED, DELIVERED) and _all_came_back(order, one):
            locked.move(order, one, "came_back")
    locked.touch(order)


def restock(locked: Fulfilling, order: Order, lines: dict[int, int], location: str, reason: str) -> None:
    back = [StepLine(no, order.lines[no].sku, units) for no, units in sorted(lines.items())]
    locked.ask(order, RESTOCK, source="return", reason=reason, lines=back, location=location)


def _all_came_back(order: Order, one: Fulfilment) -> bool:
    return all(order.lines[no].returned >= order.lines[no].shipped for no, part in one.parts.items() if part.shipped)


def units_of(asked: PayBack) -> dict[int, int]:
    return summed(asked.lines or [])
