"""Units of an order that leave, and units that never will: what follows for its fulfilments and its money."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.orders.events import OrderCancelling
from shared.orders.fulfilling import Fulfilling, Order
from shared.orders.fulfilment import GONE, OPEN, Fulfilment
from shared.orders.fulfilment_problems import NotSoMany
from shared.orders.refunding import refund
from shared.orders.steps import CAPTURE, RELEASE, VOID, StepLine
from shared.runtime import Event


class Units(NamedTuple):
    fulfilment: Fulfilment
    line_no: int
    units: int


def leave(locked: Fulfilling, order: Order, one: Fulfilment, lines: Sequence[StepLine], because: Event | None) -> None:
    """These units of the fulfilment have left; where shipments are paid for, their share is captured."""
    is_first = not any(other.status in GONE for other in order.fulfilments.values())
    amount = order.shipping_minor if is_first else 0
    for line in lines:
        part = one.parts[line.line_no]
        money = order.lines[line.line_no].ship(line.quantity)
        part.shipped += line.quantity
        part.shipped_minor += money
        # Where it was asked back at the same time, inventory has let it leave: it will say that nothing was given back.
        part.cancelling = min(part.cancelling, part.quantity - part.shipped - part.cancelled)
        amount += money
    one.shipped_at, one.refused = locked.work.now, None
    locked.move(order, one, "left", because)
    if order.at_shipment and amount:
        locked.ask(order, CAPTURE, source="shipment", reason="shipped", amount_minor=amount, because=because)


async def cancel(locked: Fulfilling, order: Order, chosen: Sequence[Units], *, source: str, reason: str) -> None:
    """What is tracked is asked back from inventory first: only what it gives back is paid back.

    Where nothing would be left of an order of which nothing has left, all of it is cancelled, as by `cancel_order`.
    """
    left = sum(one.open for one in order.fulfilments.values() if one.status in OPEN)
    if order.stage == "unfulfilled" and left == sum(each.units for each in chosen):
        locked.sagas.steer(order.id, OrderCancelling, reason)
        await locked.sagas.save()
        return
    asked, at_once = [], []
    for one, line_no, units in chosen:
        line = StepLine(line_no, order.lines[line_no].sku, units, one.location, str(one.id))
        if one.location is None:
            at_once.append(line)
        else:
            one.parts[line_no].cancelling += units
            locked.changed_fulfilments[one.id] = one
            asked.append(line)
    if asked:
        locked.ask(order, RELEASE, source=source, reason=reason, lines=asked)
    if at_once:
        await take_off(locked, order, [(line, line.quantity) for line in at_once], source=source, reason=reason)


async def take_off(
    locked: Fulfilling,
    order: Order,
    given: Sequence[tuple[StepLine, int]],
    *,
    source: str,
    reason: str,
    because: Event | None = None,
) -> None:
    """So many of each line's units will not be shipped; their money goes back, or with all of an order's."""
    by_id = {str(id): one for id, one in order.fulfilments.items()}
    amount = 0
    for line, units in given:
        one = by_id[line.fulfilment_id or ""]
        part = one.parts[line.line_no]
        money = order.lines[line.line_no].cancel(units)
        part.cancelled += units
        part.cancelled_minor += money
        amount += money
        locked.changed_fulfilments[one.id] = one
        locked.touch(order, because)
        if one.can("cancelled") and all(part.cancelled == part.quantity for part in one.parts.values()):
            locked.move(order, one, "cancelled", because)
    if not order.stands:
        return
    if order.at_shipment and amount:
        locked.ask(order, VOID, source=source, reason=reason, amount_minor=amount, because=because)
    elif amount := min(amount, order.refundable_minor):
        await refund(locked, order, amount, source=source, reason=reason, because=because)


def choose(
    order: Order, wanted: dict[int, int], fulfilments: Sequence[Fulfilment], *, to_leave: bool = False
) -> list[Units]:
    """From which of these fulfilments so many units of each line are taken. Raises NotSoMany.

    What was paid back as of a return is not paid back again; but that it leaves, or has left, can still be said.
    """
    chosen, lacking = [], []
    for line_no, units in sorted(wanted.items()):
        line = order.lines.get(line_no)
        open_units = sum(one.parts[line_no].open for one in fulfilments if line_no in one.parts)
        paid_back = 0 if to_leave or line is None else line.paid_back_unshipped
        free = max(0, open_units - paid_back)
        if units > free:
            lacking.append({"line_no": line_no, "quantity": units, "left": free})
            continue
        missing = units
        for one in fulfilments:
            if line_no in one.parts and (taken := min(missing, one.parts[line_no].open)):
                chosen.append(Units(one, line_no, taken))
                missing -= taken
    if lacking:
        raise NotSoMany(order_id=order.id, lines=lacking)
    return chosen
