"""The inventory's rules once more, as plainly as they can be said: dictionaries, and no database.

Written from the documentation, not from the code: it shares only the events with what it is compared with. Whoever
adds an operation adds a method here that changes the dictionaries and says what is told of it.
"""

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.inventory.events import (
    AllocatedLine,
    CommitHold,
    ExtendHold,
    HoldCommitted,
    HoldExpired,
    HoldExtended,
    HoldPartReleased,
    HoldRejected,
    HoldReleased,
    HoldShipped,
    HoldStock,
    LevelDepleted,
    LevelLow,
    LevelReplenished,
    PartLine,
    ReleaseHold,
    ReleasePart,
    ShipHold,
    ShipmentRefused,
    StockAdjusted,
    StockDepleted,
    StockHeld,
    StockLow,
    StockReceived,
    StockReplenished,
    StockShipped,
    StockShortfall,
)
from shared.runtime import Event

WORST_FIRST = ("out_of_stock", "backorder", "low", "in_stock")
RECEIPTS = ("received", "returned")
At = tuple[str, str]
"""A SKU and a location."""


@dataclass
class Place:
    priority: int
    ships_to: list[str] | None = None
    open: bool = True


@dataclass
class Item:
    tracked: bool = True
    low_at: int | None = None
    status: str = "out_of_stock"


@dataclass
class Level:
    on_hand: int = 0
    held: int = 0
    committed: int = 0
    shortfall: int = 0
    safety_stock: int = 0
    backorder_limit: int = 0
    low_at: int | None = None
    status: str = "out_of_stock"
    version: int = 0
    entries: int = 0


@dataclass
class Line:
    quantity: int
    backordered: int = 0
    released: int = 0
    shipped: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.released - self.shipped


@dataclass
class Hold:
    status: str
    expires_at: datetime
    since: datetime
    lines: dict[At, Line] = field(default_factory=dict)
    shortages: dict[str, int] | None = None

    def open(self) -> dict[At, int]:
        return {at: line.open for at, line in self.lines.items() if line.open}


class Model:
    def __init__(self, places: dict[str, Place], now: datetime) -> None:
        self.places, self.now, self.rule = places, now, "fewest_splits"
        self.items: dict[str, Item] = {}
        self.levels: dict[At, Level] = {}
        self.holds: dict[UUID, Hold] = {}
        self.parts: dict[tuple[UUID, str, UUID], dict[At, int]] = {}
        self.told: list[Event] = []

    def state(self) -> dict[str, Any]:
        """All that the tables know, but the times of changes."""
        return {
            "items": {sku: asdict(item) for sku, item in self.items.items()},
            "levels": {f"{sku}@{place}": asdict(level) for (sku, place), level in self.levels.items()},
            "holds": {
                str(order): {
                    "status": hold.status,
                    "expires_at": hold.expires_at.timestamp(),
                    "shortages": hold.shortages,
                    "lines": {f"{sku}@{place}": asdict(line) for (sku, place), line in hold.lines.items()},
                }
                for order, hold in self.holds.items()
            },
            "parts": {
                f"{order} {kind} {id}": {f"{sku}@{place}": quantity for (sku, place), quantity in lines.items()}
                for (order, kind, id), lines in self.parts.items()
            },
        }

    # What there is

    def free(self, at: At) -> int:
        """Units that nobody has been promised and that may be sold; below zero when more is promised."""
        level = self.levels[at]
        return level.on_hand - level.safety_stock - level.held - level.committed

    def available(self, at: At) -> int:
        return max(0, self.free(at)) if self.places[at[1]].open else 0

    def stocked(self, at: At) -> int:
        return self.available(at) if at in self.levels else 0

    def beyond(self, at: At) -> int:
        """How many may still be promised that are not there."""
        if not self.places[at[1]].open:
            return 0
        return max(0, min(self.levels[at].backorder_limit, self.levels[at].backorder_limit + self.free(at)))

    def at(self, sku: str) -> list[At]:
        there = [at for at in self.levels if at[0] == sku]
        return sorted(there, key=lambda at: (self.places[at[1]].priority, at[1]))

    def level(self, at: At) -> Level:
        self.items.setdefault(at[0], Item())
        return self.levels.setdefault(at, Level())

    # What is told

    def _status(self, available: int, beyond: int, low_at: int, was: str) -> str:
        if available == 0:
            return "backorder" if beyond else "out_of_stock"
        enough = low_at + low_at // 5 if was == "low" else low_at
        return "in_stock" if available > enough else "low"

    def status(self, sku: str) -> str:
        item = self.items.get(sku, Item())
        if not item.tracked:
            return "in_stock"
        low_at = 5 if item.low_at is None else item.low_at
        there = self.at(sku)
        return self._status(sum(map(self.available, there)), sum(map(self.beyond, there)), low_at, item.status)

    def changed(self, skus: Iterable[str]) -> None:
        """What the shop says after it has changed stock of these."""
        for sku in sorted(set(skus)):
            item, available = self.items[sku], sum(map(self.available, self.at(sku)))
            now, was = self.status(sku), item.status
            if now != was:
                better = WORST_FIRST.index(now) > WORST_FIRST.index(was)
                kind: Any = StockReplenished if better else StockLow if now == "low" else StockDepleted
                low_at = 5 if item.low_at is None else item.low_at
                self.told.append(kind(sku=sku, status=now, was=was, available=available, low_at=low_at))
                item.status = now
            for at in self.at(sku):
                self._changed_at(at)

    def _changed_at(self, at: At) -> None:
        level, (sku, place) = self.levels[at], at
        if level.low_at is not None:
            now = self._status(self.available(at), self.beyond(at), level.low_at, level.status)
            if now != level.status:
                better = WORST_FIRST.index(now) > WORST_FIRST.index(level.status)
                kind: Any = LevelReplenished if better else LevelLow if now == "low" else LevelDepleted
                self.told.append(
                    kind(
                        sku=sku, location=place, status=now, was=level.status,
                        available=self.available(at), low_at=level.low_at,
                    )
                )  # fmt: skip
                level.status = now
        short = max(0, level.held + level.committed - level.on_hand - level.backorder_limit)
        if short != level.shortfall:
            level.shortfall = short
            orders = self._waiting(at) if short else ()
            self.told.append(StockShortfall(sku=sku, location=place, shortfall=short, orders=orders))

    def _waiting(self, at: At) -> tuple[UUID, ...]:
        """Paid orders are served before unpaid ones, the oldest first; who is not, waits. The last comes first."""
        served, waiting = self.levels[at].on_hand + self.levels[at].backorder_limit, []
        live = [(order, hold) for order, hold in self.holds.items() if hold.status in ("COMMITTED", "HELD")]
        for order, hold in sorted(live, key=lambda one: (one[1].status != "COMMITTED", one[1].since, one[0])):
            if at in hold.lines and (open := hold.lines[at].open):
                served -= open
                if served < 0:
                    waiting.append(order)
        return tuple(reversed(waiting))

    # Holds

    def hold(self, command: HoldStock) -> None:
        order = command.order_id
        if order in self.holds:
            self._answer_again(order)
            return
        hold = Hold("HELD", self.now + timedelta(seconds=command.expires_in_s), self.now)
        self.holds[order] = hold
        demand: dict[str, int] = {}
        for want in command.lines:
            demand[want.sku] = demand.get(want.sku, 0) + want.quantity
        tracked = {sku: number for sku, number in demand.items() if self.items.get(sku, Item()).tracked}
        serving = [
            place
            for place in sorted(self.places, key=lambda place: (self.places[place].priority, place))
            if command.ship_to is None or command.ship_to in (self.places[place].ships_to or [command.ship_to])
        ]
        taken = self._allocate(tracked, serving, command.allocation or self.rule)
        missing = {}
        for sku, number in tracked.items():
            lacking = number - sum(line.quantity for at, line in taken.items() if at[0] == sku)
            if lacking:
                missing[sku] = lacking
        if missing and not (command.partial and (taken or len(tracked) < len(demand))):
            hold.status, hold.shortages = "REJECTED", missing
            self.told.append(HoldRejected(order_id=order, shortages=missing))
            return
        hold.lines, hold.shortages = taken, missing or None
        for at, line in taken.items():
            self.levels[at].held += line.quantity
            self.levels[at].version += 1
        self._answer_again(order)
        self.changed(at[0] for at in taken)

    def _allocate(self, demand: dict[str, int], places: list[str], rule: str) -> dict[At, Line]:
        left, taken = dict(demand), dict[At, Line]()

        def take(sku: str, place: str) -> None:
            if number := min(left[sku], self.stocked((sku, place))):
                left[sku] -= number
                taken[sku, place] = Line(number)

        if rule == "fewest_splits":
            rest = list(places)
            while rest:
                best = self._completes_most(left, rest)
                rest.remove(best)
                for sku in demand:
                    take(sku, best)
        else:
            for sku in demand:
                fullest = sorted(places, key=lambda place: -self.stocked((sku, place)))
                for place in fullest if rule == "most_stock" else places:
                    take(sku, place)
        self._promise(left, places, taken)
        return taken

    def _promise(self, left: dict[str, int], places: list[str], taken: dict[At, Line]) -> None:
        """What is not there, where it may be promised nevertheless."""
        for sku, place in itertools.product(left, places):
            number = min(left[sku], self.beyond((sku, place)) if (sku, place) in self.levels else 0)
            if number:
                left[sku] -= number
                line = taken.setdefault((sku, place), Line(0))
                line.quantity, line.backordered = line.quantity + number, number

    def _completes_most(self, left: dict[str, int], places: list[str]) -> str:
        """Of equals the one that gives most units, and of these the first."""
        wanted = {sku: number for sku, number in left.items() if number}

        def worth(place: str) -> tuple[int, int, int]:
            given = [min(self.stocked((sku, place)), number) for sku, number in wanted.items()]
            completed = sum(part == number for part, number in zip(given, wanted.values(), strict=True))
            return completed, sum(given), -places.index(place)

        return max(places, key=worth)

    def _answer_again(self, order: UUID) -> None:
        hold = self.holds[order]
        lines = [(at, line.quantity, line.backordered) for at, line in hold.lines.items()]
        held = StockHeld(
            order_id=order,
            expires_at=hold.expires_at,
            allocations=allocated(lines),
            shortages=hold.shortages or {},
        )
        refused = HoldRejected(order_id=order, shortages=hold.shortages or {})
        released = HoldRejected(order_id=order, shortages={}, reason="released")
        expired = HoldExpired(order_id=order)
        answers = {"REJECTED": refused, "RELEASED": released, "EXPIRED": expired}
        self.told.append(answers.get(hold.status, held))

    def extend(self, command: ExtendHold) -> None:
        order = command.order_id
        hold = self.holds.get(order)
        if hold and hold.status in ("COMMITTED", "SHIPPED"):
            self.told.append(HoldCommitted(order_id=order))
        elif hold and hold.status == "HELD" and self.now < hold.expires_at:
            hold.expires_at = max(hold.expires_at, self.now + timedelta(seconds=command.expires_in_s))
            self.told.append(HoldExtended(order_id=order, expires_at=hold.expires_at))
        else:
            self.told.append(HoldExpired(order_id=order))

    def commit(self, command: CommitHold) -> None:
        order = command.order_id
        hold = self.holds.get(order)
        if hold and hold.status in ("COMMITTED", "SHIPPED"):
            self.told.append(HoldCommitted(order_id=order))
        elif hold and hold.status == "HELD" and self.now < hold.expires_at:
            for at, line in hold.lines.items():
                if line.open:
                    self.levels[at].held -= line.open
                    self.levels[at].committed += line.open
                    self.levels[at].version += 1
            hold.status = "COMMITTED"
            self.told.append(HoldCommitted(order_id=order))
        elif hold and hold.status == "HELD":
            self._expire([order])
        else:
            self.told.append(HoldExpired(order_id=order))

    def expire(self) -> None:
        self._expire(
            [order for order, hold in self.holds.items() if hold.status == "HELD" and hold.expires_at <= self.now]
        )

    def _expire(self, orders: list[UUID]) -> None:
        self._give_back([(order, self.holds[order].open()) for order in orders])
        for order in orders:
            self.holds[order].status = "EXPIRED"
            self.told.append(HoldExpired(order_id=order))

    def _give_back(self, backs: list[tuple[UUID, dict[At, int]]]) -> None:
        touched = set()
        for order, lines in backs:
            hold = self.holds[order]
            for at, number in lines.items():
                hold.lines[at].released += number
                if hold.status == "HELD":
                    self.levels[at].held -= number
                else:
                    self.levels[at].committed -= number
                touched.add(at)
        for at in touched:
            self.levels[at].version += 1
        self.changed(sku for sku, _ in touched)

    def release(self, command: ReleaseHold) -> None:
        order = command.order_id
        hold = self.holds.get(order)
        if hold is None:
            self.holds[order] = Hold("RELEASED", self.now, self.now)
        elif hold.status in ("HELD", "COMMITTED"):
            self._give_back([(order, hold.open())])
            self._end(hold)
        self.told.append(HoldReleased(order_id=order))

    def _end(self, hold: Hold) -> None:
        hold.status = "SHIPPED" if any(line.shipped for line in hold.lines.values()) else "RELEASED"

    def _part(self, hold: Hold | None, wanted: list[PartLine]) -> tuple[dict[At, int], dict[str, int]]:
        """What of a hold is meant, and what is not open of it. Who names a location comes before who does not."""
        left = {at: line.open for at, line in sorted(hold.lines.items())} if hold else {}
        part: dict[At, int] = {}
        missing: dict[str, int] = {}
        named = [line for line in wanted if line.location is not None]
        for line in named + [line for line in wanted if line.location is None]:
            for _ in range(line.quantity):
                meant = [at for at, number in left.items() if number and at[0] == line.sku]
                if line.location is not None:
                    meant = [at for at in meant if at[1] == line.location]
                if meant:
                    left[meant[0]] -= 1
                    part[meant[0]] = part.get(meant[0], 0) + 1
                else:
                    missing[line.sku] = missing.get(line.sku, 0) + 1
        return part, missing

    def release_part(self, command: ReleasePart) -> None:
        order, key = command.order_id, (command.order_id, "released", command.part_id)
        hold = self.holds.get(order)
        if key not in self.parts and hold and hold.status in ("HELD", "COMMITTED"):
            part, _ = self._part(hold, command.lines)
            self.parts[key] = part
            self._give_back([(order, part)])
            if part and not any(line.open for line in hold.lines.values()):
                self._end(hold)
        live = hold and hold.status in ("HELD", "COMMITTED") and any(line.open for line in hold.lines.values())
        lines = allocated((at, number, 0) for at, number in self.parts.get(key, {}).items())
        self.told.append(HoldPartReleased(order_id=order, part_id=command.part_id, lines=lines, complete=not live))

    def ship(self, command: ShipHold) -> None:
        order, key = command.order_id, (command.order_id, "shipped", command.part_id)
        hold = self.holds.get(order)
        if key not in self.parts:
            if command.lines is not None:
                part, missing = self._part(hold, command.lines)
            else:
                part, missing = hold.open() if hold else {}, {}
            reason: Any = None
            if hold is None or hold.status != "COMMITTED":
                reason = "not_committed"
            elif missing:
                reason = "not_open"
            else:
                for at, number in part.items():
                    if number > self.levels[at].on_hand:
                        missing[at[0]] = missing.get(at[0], 0) + number - self.levels[at].on_hand
                        reason = "not_on_hand"
            if reason or hold is None:
                refused = ShipmentRefused(order_id=order, part_id=command.part_id, reason=reason, missing=missing)
                self.told.append(refused)
                return
            self.parts[key] = part
            for at, number in part.items():
                hold.lines[at].shipped += number
            if not any(line.open for line in hold.lines.values()):
                hold.status = "SHIPPED"
            self._enter({at: -number for at, number in part.items()}, "shipped", self.now, order)
        assert hold is not None
        complete = not any(line.open for line in hold.lines.values())
        lines = allocated((at, number, 0) for at, number in self.parts[key].items())
        self.told.append(HoldShipped(order_id=order, part_id=command.part_id, lines=lines, complete=complete))

    # Levels

    def _enter(self, deltas: dict[At, int], reason: str, moved: datetime, order: UUID | None = None) -> None:
        for at, delta in deltas.items():
            level = self.levels[at]
            level.on_hand += delta
            level.committed += delta if order else 0
            level.version += 1
            level.entries += 1
        for at, delta in deltas.items():
            level, (sku, place) = self.levels[at], at
            kind: Any = StockShipped if order else StockReceived if reason in RECEIPTS else StockAdjusted
            self.told.append(
                kind(
                    sku=sku, location=place, delta=delta, on_hand=level.on_hand, held=level.held,
                    committed=level.committed, available=self.available(at), version=level.version, ledger_id=0,
                    shortfall=max(0, level.held + level.committed - level.on_hand - level.backorder_limit),
                    reason=reason, actor="admin-1", at=moved, order_id=order,
                    sku_available=sum(map(self.available, self.at(sku))), status=self.status(sku),
                )
            )  # fmt: skip
        self.changed(sku for sku, _ in deltas)

    def adjust(self, at: At, delta: int, reason: str, moved: datetime | None) -> str | None:
        """Why it is refused, if it is."""
        if not self.places[at[1]].open:
            return "UnknownLocation"
        if delta + (self.levels[at].on_hand if at in self.levels else 0) < 0:
            return "InsufficientStock"
        self.level(at)
        self._enter({at: delta}, reason, moved or self.now)
        return None

    def recount(self, at: At, on_hand: int) -> str | None:
        if not self.places[at[1]].open:
            return "UnknownLocation"
        delta = on_hand - self.level(at).on_hand
        if delta:
            self._enter({at: delta}, "recount", self.now)
        return None

    def item_policy(self, sku: str, said: dict[str, Any]) -> None:
        item = self.items.setdefault(sku, Item())
        if said.get("tracked") is not None:
            item.tracked = said["tracked"]
        item.low_at = said.get("low_at", item.low_at)
        self.changed([sku])

    def level_policy(self, at: At, said: dict[str, Any]) -> str | None:
        if not self.places[at[1]].open:
            return "UnknownLocation"
        level = self.level(at)
        for name in ("safety_stock", "backorder_limit"):
            if said.get(name) is not None:
                setattr(level, name, said[name])
        level.low_at = said.get("low_at", level.low_at)
        if level.low_at is None:
            level.status = "out_of_stock"
        level.version += 1
        self.changed([at[0]])
        return None


def allocated(lines: Iterable[tuple[At, int, int]]) -> tuple[AllocatedLine, ...]:
    return tuple(
        AllocatedLine(sku=sku, location=place, quantity=number, backordered=beyond)
        for (sku, place), number, beyond in sorted(lines)
    )
