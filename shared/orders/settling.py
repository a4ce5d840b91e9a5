"""What follows when a step is answered: one row of `steps.STEPS`, and one piece of work for each kind of step."""

from collections.abc import Sequence
from uuid import UUID

from shared.inventory.events import HoldPartReleased, HoldShipped, ShipmentRefused
from shared.orders.fulfilling import Fulfilling, Order, lock_orders
from shared.orders.parting import leave, take_off
from shared.orders.refunding import tell
from shared.orders.steps import CAPTURES, PAUSE, REFUND, SETTLES, Answered, Step, is_awaited, step_of
from shared.payments.events import CaptureFailed, PaymentCaptured, RefundFailed
from shared.runtime import Work


async def settle(events: Sequence[Answered], work: Work) -> None:
    """Answers of orders' sagas are none of its business, and cost nothing here."""
    named = {id(event): step_id for event in events if (step_id := step_of(event)) is not None}
    ours = [event for event in events if id(event) in named]
    if not ours:
        return
    locked = await lock_orders(work, {event.order_id for event in ours}, steps=set(named.values()))
    refunds: list[tuple[UUID, str, str | None]] = []
    for event in ours:
        order = locked.orders.get(event.order_id)
        step = order.steps.get(named[id(event)]) if order else None
        if order is None or step is None or not is_awaited(step, event):
            continue
        locked.touch(order, event)
        if isinstance(event, CaptureFailed) and step.tries < CAPTURES:
            step.ask_anew(work.now + PAUSE)
            step.answer = event.code
            locked.changed_steps[step.id] = step
            continue
        locked.settle(order, step, SETTLES[type(event)].to, _said(event))
        if step.kind is REFUND:
            failed = isinstance(event, RefundFailed)
            refunds.append((step.id, "failed" if failed else "succeeded", _said(event)))
        await _follow(locked, order, step, event)
    await tell(locked, refunds)
    await locked.save()


def _said(event: Answered) -> str | None:
    """Why it was refused, if it was."""
    if isinstance(event, ShipmentRefused):
        lacking = ", ".join(f"{sku}: {units}" for sku, units in sorted(event.missing.items()))
        return f"{event.reason} ({lacking})" if lacking else event.reason
    return getattr(event, "code", None) or getattr(event, "reason", None)


async def _follow(locked: Fulfilling, order: Order, step: Step, event: Answered) -> None:
    match event:
        case HoldShipped():
            one = order.fulfilments[step.id]
            if one.can("left"):
                leave(locked, order, one, step.lines, event)
        case ShipmentRefused():
            one = order.fulfilments[step.id]
            if one.can("refused"):
                one.refused = step.answer
                locked.move(order, one, "refused", event)
        case HoldPartReleased():
            await _released(locked, order, step, event)
        case PaymentCaptured():
            order.captured_minor += event.amount_minor
        case RefundFailed():
            order.refunded_minor -= step.amount_minor or 0


async def _released(locked: Fulfilling, order: Order, step: Step, event: HoldPartReleased) -> None:
    """Of two lines of one SKU the first gets what was given back first."""
    given = {(line.sku, line.location): line.quantity for line in event.lines}
    by_id = {str(id): one for id, one in order.fulfilments.items()}
    came = []
    for line in step.lines:
        one = by_id[line.fulfilment_id or ""]
        part = one.parts[line.line_no]
        part.cancelling = max(0, part.cancelling - line.quantity)
        locked.changed_fulfilments[one.id] = one
        key = (line.sku, line.location or "")
        if units := min(line.quantity, given.get(key, 0)):
            given[key] -= units
            came.append((line, units))
    if came:
        await take_off(locked, order, came, source=step.source, reason=step.reason, because=event)
