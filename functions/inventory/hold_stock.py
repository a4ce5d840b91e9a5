"""Hold stock for every line of an order, or for none, or what is possible (INV-005, INV-008)."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from shared.inventory.allocation import Taken, allocate
from shared.inventory.events import AllocatedLine, HoldExpired, HoldRejected, HoldStock, StockHeld
from shared.inventory.holds import LIVE, Hold, Line, Status, lines_of
from shared.inventory.opening import Opened, lack, open_holds, take
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, holds, items, locations, policy, stock
from shared.runtime import Work, on_event

Answer = StockHeld | HoldRejected | HoldExpired


@on_event(
    HoldStock,
    reads=[locations, policy],
    writes=[items, stock, holds, hold_lines],
    emits=[StockHeld, HoldRejected, HoldExpired, *STATUS_EVENTS],
    warm=True,
    together=64,
)
async def hold_stock(commands: Sequence[HoldStock], work: Work) -> None:
    """A shortage is an answer, not an error: the order's saga decides what it means. A SKU never heard of is short.

    An order that has a hold already is answered as before, and nothing more is held for it.
    """
    first = {command.order_id: command for command in reversed(commands)}
    expiries = {id: work.now + timedelta(seconds=command.expires_in_s) for id, command in sorted(first.items())}
    skus = sorted({line.sku for command in first.values() for line in command.lines})
    opened = await open_holds(work, expiries, skus)
    answers: dict[UUID, Answer] = {}
    if opened.known:
        lines = await lines_of(work, list(opened.known))
        answers.update((id, _as_before(id, hold, lines)) for id, hold in opened.known.items())
    taken: dict[UUID, list[Taken]] = {}
    lacking: dict[UUID, tuple[Status, dict[str, int]]] = {}
    for command in commands:
        order_id = command.order_id
        if order_id not in answers:
            taken[order_id], missing, refused = _allocated(command, opened)
            if missing:
                lacking[order_id] = (Status.REJECTED if refused else Status.HELD), missing
            if refused:
                answers[order_id] = HoldRejected(order_id=order_id, shortages=missing)
            else:
                held = tuple(AllocatedLine(**one._asdict()) for one in sorted(taken[order_id]))
                answers[order_id] = StockHeld(
                    order_id=order_id, expires_at=expiries[order_id], allocations=held, shortages=missing
                )
        work.emit(answers[order_id], because=command)
    await lack(work, lacking)
    await take(work, opened.items, taken)


def _allocated(command: HoldStock, opened: Opened) -> tuple[list[Taken], dict[str, int], bool]:
    """What the order takes, what it lacks, and whether it is refused, and then takes nothing."""
    demand: Counter[str] = Counter()
    for line in command.lines:
        demand[line.sku] += line.quantity
    tracked = {sku: quantity for sku, quantity in demand.items() if opened.items[sku].tracked}
    offers = [level for level in opened.levels if _serves(level.ships_to, command.ship_to)]
    taken, missing = allocate(tracked, offers, command.allocation or opened.rule)
    if missing and not (command.partial and (taken or len(tracked) < len(demand))):
        return [], missing, True
    for one in taken:
        level = opened.items[one.sku].at(one.location)
        assert level is not None, "what is taken was offered"
        level.held += one.quantity
    return taken, missing, False


def _serves(ships_to: list[str] | None, country: str | None) -> bool:
    return ships_to is None or country is None or country in ships_to


def _as_before(order_id: UUID, hold: Hold, lines: Sequence[Line]) -> Answer:
    """A released order is refused, not told of its release: whoever asks for a hold waits for a yes or a no."""
    if hold.status in (*LIVE, Status.SHIPPED):
        held = tuple(
            AllocatedLine(sku=line.sku, location=line.location, quantity=line.quantity, backordered=line.backordered)
            for line in lines
            if line.order_id == order_id
        )
        return StockHeld(
            order_id=order_id, expires_at=hold.expires_at, allocations=held, shortages=hold.shortages or {}
        )
    if hold.status is Status.REJECTED:
        return HoldRejected(order_id=order_id, shortages=hold.shortages or {})
    if hold.status is Status.RELEASED:
        return HoldRejected(order_id=order_id, shortages={}, reason="released")
    return HoldExpired(order_id=order_id)
