"""Orders that are paid, with their goods on the shelves: every function with a part in it runs, and the provider."""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from functions import load_all
from functions.inventory.create_location import CreateLocation, create_location
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.set_stock_level import SetStockLevel, set_stock_level
from functions.orders.record_order import record_order
from functions.orders.ship_fulfilment import ShipFulfilment, ship_fulfilment
from shared.orders.fulfilment_views import FulfilmentView
from shared.platform.checking import rules
from shared.platform.invariants import CHECKS
from shared.runtime import Event
from shared.runtime.declare import OnEvent
from tests.conftest import ADMIN, NOW, Books, Run
from tests.functions.orders.sagas import recorded

CARRIERS = frozenset(
    {
        *("outbox_reaches_the_log", "the_log_has_no_gaps", "streams_are_contiguous", "events_tell_what_is"),
        *("no_event_vanishes", "stock_status_is_told", "orders_end_in_time", "totals_equal_lines"),
        *("figures_equal_books", "figures_equal_facts", "net_sales_equal_payments"),
    }
)
"""Checks of the log, which is not here: functions are run by themselves. Prices are set by the tests."""


@dataclass
class Flow:
    """Carries events to the functions that take them, in their order, until nothing is left, but for what is held up.

    `at` is the clock of all that runs. By `chance` events come in any order.
    """

    run: Run
    db: Books
    held_up: set[type[Event]] = field(default_factory=set)
    kept: list[Event] = field(default_factory=list)
    said: list[Event] = field(default_factory=list)
    at: datetime = NOW
    chance: Random | None = None

    async def carry(self, events: Sequence[Event], *, past: Collection[type[Event]] = ()) -> list[Event]:
        """Gives all that was said, those events too."""
        waiting, said = deque(events), list(events)
        while waiting:
            if self.chance is not None:
                waiting.rotate(self.chance.randrange(len(waiting)))
            event = waiting.popleft()
            if type(event) in self.held_up and type(event) not in past:
                self.kept.append(event)
                continue
            for function in takers(event):
                _, emitted = await self.run(function, event, now=self.at)
                waiting.extend(emitted)
                said += emitted
        self.said += said
        return said

    async def let_go(self) -> list[Event]:
        kept, self.kept = self.kept, []
        self.held_up.clear()
        return await self.carry(kept)

    async def do(self, function: Callable[..., Awaitable[Any]], request: Any = None, caller: Any = ADMIN) -> Any:
        """Asks for something, and carries what follows. Gives the answer."""
        result, emitted = await self.run(function, request, caller=caller, now=self.at)
        await self.carry(emitted)
        return result

    async def tick(self, function: Callable[..., Awaitable[Any]]) -> list[Event]:
        _, emitted = await self.run(function, now=self.at)
        return await self.carry(emitted)

    async def ordered(
        self, *lines: tuple[str, int, int], capture: str = "now", shipping: int = 0, **changed: Any
    ) -> UUID:
        """A confirmed order of one customer: (sku, quantity, unit price) for each line."""
        named = [
            {"sku": sku, "title": sku, "quantity": quantity, "unit_price_minor": price}
            for sku, quantity, price in lines
        ]
        order, emitted = await self.run(record_order, recorded(lines=named, **changed), caller=ADMIN, now=self.at)
        await self.db.run(
            """update orders.orders set capture = %(capture)s, shipping_minor = %(shipping)s,
              total_minor = total_minor + %(shipping)s where id = %(id)s""",
            capture=capture,
            shipping=shipping,
            id=order.id,
        )
        await self.carry(emitted)
        return UUID(str(order.id))

    async def fulfilments(self, order: UUID) -> dict[str | None, UUID]:
        rows = await self.db.all(
            """select location, id from orders.fulfilments where order_id = %(order)s
            order by created_at desc, status = 'pending', id desc""",
            order=order,
        )
        return {row.location: row.id for row in rows}

    async def ship(self, fulfilment: UUID, lines: dict[int, int] | None = None) -> FulfilmentView:
        view: FulfilmentView = await self.do(ship_fulfilment, shipment(fulfilment, lines))
        return view

    async def violated(self) -> list[str]:
        """What does not hold at rest."""
        found = []
        values = rules(load_all().values())
        for check in CHECKS:
            if check.name not in CARRIERS:
                sql = check.sql.replace("%", "%%")
                for name in values:
                    sql = sql.replace(f":{name}", f"%({name})s")
                if rows := await self.db.all(sql, **values):
                    found.append(f"{check.name}: {rows}")
        return found


_TAKERS: dict[type[Event], list[Callable[..., Awaitable[Any]]]] = {}


def takers(event: Event) -> list[Callable[..., Awaitable[Any]]]:
    if not _TAKERS:
        for declaration in load_all().values():
            if isinstance(declaration.trigger, OnEvent):
                for kind in declaration.trigger.events:
                    _TAKERS.setdefault(kind, []).append(declaration.function)
    return _TAKERS.get(type(event), [])


def shipment(fulfilment: UUID, lines: dict[int, int] | None = None) -> ShipFulfilment:
    return ShipFulfilment.model_validate(
        {
            "fulfilment_id": fulfilment,
            "carrier": "DHL",
            "tracking_number": "JD1",
            "tracking_url": "https://dhl.example/JD1",
            "lines": lines and units(lines),
        }
    )


def units(lines: dict[int, int]) -> list[dict[str, int]]:
    return [{"line_no": no, "quantity": quantity} for no, quantity in lines.items()]


async def filled(run: Run) -> None:
    """Ten mugs and ten pots in London, ten plates in Leeds; gifts are not tracked."""
    for id, priority in (("LON", 1), ("LEEDS", 2)):
        await run(create_location, CreateLocation(id=id, name=id, priority=priority), caller=ADMIN)
    for sku, location in (("mug", "LON"), ("pot", "LON"), ("plate", "LEEDS")):
        await run(
            set_stock_level,
            SetStockLevel(sku=sku, location=location, on_hand=10, reason="opening"),
            caller=ADMIN,
        )
    await run(set_item_policy, SetItemPolicy(sku="gift", tracked=False), caller=ADMIN)


async def order_row(db: Books, order: UUID) -> tuple[Any, ...]:
    """Status, how far it is fulfilled, what was refunded, what was captured by shipments."""
    row = await db.one(
        "select status, fulfilment, refunded_minor, captured_minor from orders.orders where id = %(id)s", id=order
    )
    return tuple(row)


async def paid(db: Books, order: UUID) -> tuple[int, int, int]:
    """Captured, refunded and voided at the provider, as payments knows it."""
    row = await db.one(
        "select captured_minor, refunded_minor, voided_minor from payments.payments where order_id = %(id)s", id=order
    )
    return tuple(row)


def of(kind: type[Any], said: list[Any]) -> list[Any]:
    return [event for event in said if isinstance(event, kind)]
