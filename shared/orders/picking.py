"""What of a fulfilment leaves together, and what is left for another time."""

from dataclasses import replace

from shared.orders.fulfilling import Fulfilling, Order
from shared.orders.fulfilment import PENDING, Fulfilment, Part
from shared.orders.fulfilment_events import FulfilmentCreated
from shared.orders.steps import StepLine


def lines_of(order: Order, one: Fulfilment) -> list[StepLine]:
    """All that is open of it."""
    return [
        StepLine(part.line_no, order.lines[part.line_no].sku, part.open, one.location, str(one.id))
        for part in one.parts.values()
        if part.open
    ]


def split_off(locked: Fulfilling, order: Order, one: Fulfilment, kept: dict[int, int]) -> None:
    """Of what is open `kept`, by line, stays with the fulfilment; the rest is moved to a new one.

    What was asked of inventory under its id before was refused. What is being asked back stays with it.
    """
    rest = {no: part.open - kept.get(no, 0) for no, part in one.parts.items() if part.open > kept.get(no, 0)}
    if not rest:
        return
    new = replace(
        one,
        id=locked.work.new_id(),
        status=PENDING,
        refused=None,
        parts={no: Part(line_no=no, quantity=units) for no, units in rest.items()},
    )
    for no, units in rest.items():
        one.parts[no].quantity -= units
    order.fulfilments[new.id] = locked.changed_fulfilments[new.id] = new
    locked.changed_fulfilments[one.id] = one
    locked.touch(order)
    locked.say(order, new, FulfilmentCreated)
