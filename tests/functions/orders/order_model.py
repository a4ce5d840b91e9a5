"""The life of orders once more, as plainly as it can be said: numbers in a dictionary, and no database.

Written from the documentation, not from the code. Everything that was asked for has come to an end before the next
thing happens: what may happen in between is for the runs by seed.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

PRICES = {"cup": 500, "mug": 1000}
GOOD, BAD, NO_CAPTURE, ASKS = "tok_approve", "tok_decline", "tok_capture_fails", "tok_3ds"
CARDS = (GOOD, GOOD, BAD, NO_CAPTURE, ASKS)
MOST_CARDS = 10


@dataclass
class Money:
    authorized: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0


@dataclass
class Order:
    lines: dict[str, int]
    waits: bool
    later: bool
    status: str = "pending"
    hold: str | None = None
    card: str = ""
    acts: bool = False
    cards: int = 1
    money: Money = field(default_factory=Money)
    shipped: Counter[str] = field(default_factory=Counter)
    off: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)

    def open(self, sku: str) -> int:
        """Units that neither left nor were cancelled by line."""
        return self.lines.get(sku, 0) - self.shipped[sku] - self.off[sku]

    @property
    def left_minor(self) -> int:
        """What may still be paid back."""
        return self.money.captured - self.money.refunded

    @property
    def total(self) -> int:
        return sum(PRICES[sku] * quantity for sku, quantity in self.lines.items())


@dataclass
class Level:
    on_hand: int
    held: int = 0
    committed: int = 0


class Model:
    def __init__(self, on_hand: dict[str, int]) -> None:
        self.levels = {sku: Level(units) for sku, units in on_hand.items()}
        self.orders: list[Order] = []

    def state(self) -> dict[str, Any]:
        return {
            "levels": {sku: asdict(level) for sku, level in self.levels.items()},
            "orders": [
                {"status": order.status, "hold": order.hold, "acts": order.acts, "money": asdict(order.money)}
                for order in self.orders
            ],
        }

    def place(self, lines: dict[str, int], card: str, *, waits: bool, later: bool, cancelled: bool) -> None:
        order = Order(lines, waits, later)
        self.orders.append(order)
        short = any(units > self._free(sku) for sku, units in lines.items())
        if short:
            order.hold = "REJECTED"
            order.status = "cancelled" if cancelled else "rejected"
        elif cancelled:
            order.hold, order.status = "RELEASED", "cancelled"
        else:
            order.hold = "HELD"
            self._count(order, held=1)
            self._pay(order, card)

    def pay(self, number: int, card: str) -> bool:
        """Whether it is allowed."""
        order = self.orders[number]
        if order.status != "awaiting_customer" or order.cards == MOST_CARDS:
            return False
        order.cards += 1
        self._pay(order, card)
        return True

    def act(self, number: int, *, confirms: bool) -> None:
        """What the customer does at the bank."""
        order = self.orders[number]
        if order.acts:
            order.acts = False
            self._authorized(order, GOOD) if confirms else self._declined(order)

    def cancel(self, number: int) -> bool:
        order = self.orders[number]
        if order.status not in ("awaiting_customer", "confirmed") or order.returned.total() or order.shipped.total():
            return False
        self._give_back(order, "RELEASED")
        order.status, order.acts = "cancelled", False
        return True

    def much_later(self) -> None:
        """Longer than any hold of what is not paid, and than the bank waits for its customer."""
        for order in self.orders:
            if order.acts:
                order.acts = False
                self._declined(order)
            if order.status == "awaiting_customer":
                self._give_back(order, "EXPIRED")
                order.status = "expired"

    def count(self, sku: str, units: int) -> None:
        self.levels[sku].on_hand = units

    def ship(self, number: int, sku: str, units: int) -> bool:
        """What is not on the shelf does not leave, and that is no fault of who asked."""
        order = self.orders[number]
        if order.status != "confirmed" or units > order.open(sku):
            return False
        level = self.levels[sku]
        if units <= level.on_hand:
            level.on_hand -= units
            level.committed -= units
            order.shipped[sku] += units
            if order.later and order.card != NO_CAPTURE:
                order.money.captured += units * PRICES[sku]
            self._look_whether_complete(order)
        return True

    def cancel_line(self, number: int, sku: str, units: int) -> bool:
        """With nothing left of an order of which nothing has left, all of it is cancelled."""
        order = self.orders[number]
        paid_back_unshipped = max(0, order.returned[sku] - order.shipped[sku])
        if order.status != "confirmed" or units > order.open(sku) - paid_back_unshipped:
            return False
        if not order.shipped.total() and units == sum(order.open(each) for each in order.lines):
            self._give_back(order, "RELEASED")
            order.status = "cancelled"
            return True
        order.off[sku] += units
        self.levels[sku].committed -= units
        if order.later:
            order.money.voided += units * PRICES[sku]
        else:
            order.money.refunded += min(units * PRICES[sku], order.left_minor)
        self._look_whether_complete(order)
        return True

    def pay_back(self, number: int, amount: int) -> bool:
        order = self.orders[number]
        if order.status not in ("confirmed", "completed") or amount > order.left_minor:
            return False
        order.money.refunded += amount
        return True

    def send_back(self, number: int, sku: str, units: int, *, restock: bool) -> bool:
        """Goods that left; what they cost is paid back when they come."""
        order = self.orders[number]
        if order.status not in ("confirmed", "completed") or units > order.shipped[sku] - order.returned[sku]:
            return False
        order.returned[sku] += units
        order.money.refunded += min(units * PRICES[sku], order.left_minor)
        self.levels[sku].on_hand += units if restock else 0
        return True

    def take_back(self, number: int, sku: str, units: int, price: int) -> None:
        """Money goes back only where it was taken; the goods count as returned either way."""
        order = self.orders[number]
        if order.status in ("confirmed", "completed") and sku in order.lines:
            came = min(units, order.lines[sku] - order.off[sku] - order.returned[sku])
            order.returned[sku] += came
            order.money.refunded += min(came * price, order.left_minor)

    def _look_whether_complete(self, order: Order) -> None:
        """Nothing is open of it, something was shipped, and what a shipment costs was taken."""
        unpaid = order.later and order.card == NO_CAPTURE
        if order.shipped.total() and not unpaid and not any(order.open(sku) for sku in order.lines):
            order.status = "completed"
        if order.shipped.total() and not any(order.open(sku) for sku in order.lines):
            order.hold = "SHIPPED"

    def _free(self, sku: str) -> int:
        level = self.levels[sku]
        return level.on_hand - level.held - level.committed

    def _count(self, order: Order, *, held: int = 0, committed: int = 0) -> None:
        for sku in order.lines:
            self.levels[sku].held += held * order.open(sku)
            self.levels[sku].committed += committed * order.open(sku)

    def _pay(self, order: Order, card: str) -> None:
        order.acts = card == ASKS
        if card == BAD:
            self._declined(order)
        elif card == ASKS:
            order.status = "awaiting_customer"
        else:
            self._authorized(order, card)

    def _declined(self, order: Order) -> None:
        if order.waits:
            order.status = "awaiting_customer"
        else:
            self._give_back(order, "RELEASED")
            order.status = "rejected"

    def _authorized(self, order: Order, card: str) -> None:
        order.card = card
        order.money.authorized += order.total
        order.hold = "COMMITTED"
        self._count(order, held=-1, committed=1)
        order.status = "confirmed"
        if not order.later:
            if card == NO_CAPTURE:
                self._give_back(order, "RELEASED")
                order.status = "cancelled"
            else:
                order.money.captured = order.total

    def _give_back(self, order: Order, hold: str) -> None:
        self._count(order, **{"held": -1} if order.hold == "HELD" else {"committed": -1})
        order.hold = hold
        money = order.money
        money.refunded = money.captured
        money.voided = money.authorized - money.captured
