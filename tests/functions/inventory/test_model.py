"""Any sequence of the inventory's operations leaves what a plain model says, and tells of it what the model tells.

The functions run under their own roles against a real Postgres; after each step counters, ledger, holds, parts and
statuses are compared, and what was emitted. `make stock-model RUNS=5000` tries thousands of sequences.
"""

import asyncio
import itertools
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from functions.inventory.adjust_stock import AdjustStock, adjust_stock
from functions.inventory.commit_hold import commit_hold
from functions.inventory.expire_holds import expire_holds
from functions.inventory.extend_hold import extend_hold
from functions.inventory.hold_stock import hold_stock
from functions.inventory.release_hold import release_hold
from functions.inventory.release_hold_part import release_hold_part
from functions.inventory.set_allocation_policy import SetAllocationPolicy, set_allocation_policy
from functions.inventory.set_item_policy import SetItemPolicy, set_item_policy
from functions.inventory.set_level_policy import SetLevelPolicy, set_level_policy
from functions.inventory.set_stock_level import SetStockLevel, set_stock_level
from functions.inventory.ship_hold import ship_hold
from infra.local.postgres import SharedServer
from shared.inventory.events import (
    CommitHold,
    ExtendHold,
    HoldLine,
    HoldRejected,
    HoldStock,
    PartLine,
    ReleaseHold,
    ReleasePart,
    ShipHold,
    ShipmentRefused,
)
from shared.platform.invariants import CHECKS
from shared.runtime import Event, Problem
from shared.runtime.db import Database
from shared.runtime.ids import new_id
from shared.runtime.work import Cause, Fixed, unit_of_work
from tests.conftest import ADMIN, NOW, arguments_of, declaration_of
from tests.functions.inventory.conftest import BOOKS
from tests.functions.inventory.model import At, Model, Place

STATE = """
select jsonb_build_object(
  'items', (select coalesce(jsonb_object_agg(sku, jsonb_build_object('tracked', tracked, 'low_at', low_at,
      'status', status)), '{}')
    from inventory.items where sku = any(%(skus)s)),
  'levels', (select coalesce(jsonb_object_agg(s.sku || '@' || s.location, jsonb_build_object(
      'on_hand', s.on_hand, 'held', s.held, 'committed', s.committed, 'shortfall', s.shortfall,
      'safety_stock', s.safety_stock, 'backorder_limit', s.backorder_limit, 'low_at', s.low_at, 'status', s.status,
      'version', s.version, 'entries', l.entries, 'ledger', l.total)), '{}')
    from inventory.stock s cross join lateral (
      select count(*) as entries, coalesce(sum(delta), 0) as total from inventory.ledger l
      where l.sku = s.sku and l.location = s.location) l
    where s.sku = any(%(skus)s)),
  'holds', (select coalesce(jsonb_object_agg(h.order_id, jsonb_build_object('status', h.status,
      'expires_at', extract(epoch from h.expires_at), 'shortages', h.shortages, 'lines', (
        select coalesce(jsonb_object_agg(l.sku || '@' || l.location, jsonb_build_object('quantity', l.quantity,
          'backordered', l.backordered, 'released', l.released, 'shipped', l.shipped)), '{}')
        from inventory.hold_lines l where l.order_id = h.order_id))), '{}')
    from inventory.holds h where h.order_id = any(%(orders)s)),
  'parts', (select coalesce(jsonb_object_agg(p.order_id || ' ' || p.kind || ' ' || p.id, (
        select coalesce(jsonb_object_agg((l ->> 'sku') || '@' || (l ->> 'location'), l -> 'quantity'), '{}')
        from jsonb_array_elements(p.lines) l)), '{}')
    from inventory.hold_parts p where p.order_id = any(%(orders)s)))
"""

RUNS = int(os.environ.get("STOCK_MODEL_RUNS", "2000"))

ALL = {
    *("StockHeld", "HoldRejected released", "HoldRejected shortage", "HoldExtended", "HoldCommitted", "HoldReleased"),
    *("HoldExpired", "HoldShipped", "HoldPartReleased", "StockReceived", "StockAdjusted", "StockShipped"),
    *(f"ShipmentRefused {reason}" for reason in ("not_committed", "not_open", "not_on_hand")),
    *("StockLow", "StockDepleted", "StockReplenished", "LevelLow", "LevelDepleted", "LevelReplenished"),
    *("StockShortfall", "UnknownLocation", "InsufficientStock"),
}
"""What a run must have seen: else it tells nothing of it."""


class World:
    """One database and one event loop for all examples: each has SKUs, locations and orders of its own."""

    def __init__(self, app_url: str, owner_url: str) -> None:
        self._runner = asyncio.Runner()
        self._database = Database(app_url, 1)
        self.owner = psycopg.connect(owner_url, autocommit=True)
        self.examples = itertools.count(1)
        self.seen: set[str] = set()
        self.steps: Counter[str] = Counter()

    def run(self, function: Callable[..., Awaitable[Any]], message: Any, now: Any) -> tuple[Any, list[Event]]:
        async def run() -> tuple[Any, list[Event]]:
            declaration, fixed = declaration_of(function), Fixed(now, new_id)
            async with unit_of_work(self._database, declaration, ADMIN, Cause("test"), fixed=fixed) as work:
                result = await function(*arguments_of(declaration, message), work)
            return result, work.emitted

        return self._runner.run(run())

    def close(self) -> None:
        self._runner.run(self._database.close())
        self._runner.close()
        self.owner.close()


@pytest.fixture(scope="module")
def world(server: SharedServer) -> Iterator[World]:
    database = server.create_database_from_template()
    world = Stock.world = World(database.app_url, database.owner_url)
    yield world
    world.close()
    server.drop_database(database)


def plain(events: list[Event]) -> list[str]:
    """What was said, without the order of it and the numbers that the database gives."""
    said = []
    for event in events:
        update: dict[str, Any] = {}
        if hasattr(event, "ledger_id"):
            update["ledger_id"] = 0
        for name in ("lines", "allocations"):
            if hasattr(event, name):
                update[name] = tuple(sorted(getattr(event, name), key=lambda line: (line.sku, line.location)))
        fields = event.model_copy(update=update).model_dump(mode="json")
        said.append(f"{type(event).__name__} {json.dumps(fields, sort_keys=True)}")
    return sorted(said)


def kind_of(event: Event) -> str:
    """An adjustment's reason is no kind of its own: there are many."""
    reason = getattr(event, "reason", "") if isinstance(event, HoldRejected | ShipmentRefused) else ""
    return f"{type(event).__name__} {reason}".strip()


skus = st.integers(0, 2)
places = st.integers(0, 2)
orders = st.integers(0, 3)
few = st.integers(0, 9)
rules = st.sampled_from(["priority", "most_stock", "fewest_splits"])
wanted = st.lists(st.tuples(skus, st.integers(1, 6)), min_size=1, max_size=3)
some = st.lists(st.tuples(skus, st.none() | places, st.integers(1, 5)), min_size=1, max_size=2)
thresholds = st.none() | st.integers(0, 8)


class Stock(RuleBasedStateMachine):
    """Few SKUs, locations and orders: so commands come twice, too early, too late and beside each other."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        number = next(self.world.examples)
        self.skus = [f"{name}-{number}" for name in ("cup", "mug", "tea")]
        self.places = [f"{name}-{number}" for name in ("LON", "LEEDS", "PARIS")]
        self.orders = [UUID(int=number * 4 + n) for n in range(4)]
        self.part_ids = [UUID(int=n) for n in range(3)]
        # The last two are as near as each other: the id decides.
        terms = [Place(1), Place(2), Place(2, ["FR", "DE"])]
        self.model = Model(dict(zip(self.places, terms, strict=True)), NOW)
        self.last: tuple[Callable[..., Awaitable[Any]], Any, Callable[[], str | None]] | None = None

    @initialize(
        stock=st.lists(
            st.tuples(skus, places, few, st.sampled_from([None, 2, 4]), st.sampled_from([0, 0, 3])),
            min_size=2,
            max_size=6,
        )
    )
    def opened(self, stock: list[tuple[int, int, int, int | None, int]]) -> None:
        with self.world.owner.cursor() as cursor:
            cursor.executemany(
                "insert into inventory.locations (id, name, priority, ships_to, created_at)"
                " values (%s, 'x', %s, %s, now())",
                [(id, place.priority, place.ships_to) for id, place in self.model.places.items()],
            )
        self.set_shop_rule("fewest_splits")
        for sku, place, on_hand, low_at, backorders in stock:
            self.recount(sku, place, on_hand)
            if low_at is not None:
                self.set_level(sku, place, {"low_at": low_at, "backorder_limit": backorders})

    def do(self, function: Callable[..., Awaitable[Any]], message: Any, expected: Callable[[], Any]) -> None:
        """Runs both, and compares what they say and what they know; `expected` gives the problem that refuses it."""
        self.last = (function, message, expected)
        self.world.steps[function.__name__] += 1
        self.model.told = []
        expected_refusal, refusal, emitted = expected(), None, list[Event]()
        try:
            _, emitted = self.world.run(function, message, self.model.now)
        except Problem as problem:
            refusal = type(problem).__name__
        assert refusal == expected_refusal
        self.world.seen.update(kind_of(event) for event in emitted)
        if refusal:
            self.world.seen.add(refusal)
        assert plain(emitted) == plain(self.model.told)
        self.compare()

    def compare(self) -> None:
        row = self.world.owner.execute(STATE, {"skus": self.skus, "orders": self.orders}).fetchone()
        assert row is not None
        found = row[0]
        for level in found["levels"].values():
            assert level.pop("ledger") == level["on_hand"]
        assert found == self.model.state()

    def at(self, sku: int, place: int) -> At:
        return self.skus[sku], self.places[place]

    def lines(self, some: list[tuple[int, int | None, int]]) -> list[PartLine]:
        return [
            PartLine(sku=self.skus[sku], location=None if place is None else self.places[place], quantity=quantity)
            for sku, place, quantity in some
        ]

    # Orders

    @rule(
        order=orders, wanted=wanted, seconds=st.sampled_from([30, 60, 300]), partial=st.booleans(),
        allocation=st.none() | rules, ship_to=st.sampled_from([None, None, "FR", "GB"]),
    )  # fmt: skip
    def hold(
        self, order: int, wanted: list[tuple[int, int]], seconds: int, partial: bool, allocation: Any,
        ship_to: str | None,
    ) -> None:  # fmt: skip
        command = HoldStock(
            order_id=self.orders[order],
            lines=[HoldLine(sku=self.skus[sku], quantity=quantity) for sku, quantity in wanted],
            expires_in_s=seconds,
            partial=partial,
            allocation=allocation,
            ship_to=ship_to,
        )
        self.do(hold_stock, command, lambda: self.model.hold(command))

    @rule(order=orders, seconds=st.sampled_from([30, 60, 300]))
    def extend(self, order: int, seconds: int) -> None:
        command = ExtendHold(order_id=self.orders[order], expires_in_s=seconds)
        self.do(extend_hold, command, lambda: self.model.extend(command))

    @rule(order=orders)
    def commit(self, order: int) -> None:
        command = CommitHold(order_id=self.orders[order])
        self.do(commit_hold, command, lambda: self.model.commit(command))

    @rule(order=orders)
    def release(self, order: int) -> None:
        command = ReleaseHold(order_id=self.orders[order])
        self.do(release_hold, command, lambda: self.model.release(command))

    @rule(order=orders, part=st.integers(0, 2), some=some)
    def release_part(self, order: int, part: int, some: list[tuple[int, int | None, int]]) -> None:
        command = ReleasePart(order_id=self.orders[order], part_id=self.part_ids[part], lines=self.lines(some))
        self.do(release_hold_part, command, lambda: self.model.release_part(command))

    @rule(order=orders, part=st.integers(0, 2), some=st.none() | some)
    def ship(self, order: int, part: int, some: list[tuple[int, int | None, int]] | None) -> None:
        lines = None if some is None else self.lines(some)
        command = ShipHold(order_id=self.orders[order], part_id=self.part_ids[part], lines=lines)
        self.do(ship_hold, command, lambda: self.model.ship(command))

    @rule(order=orders, wanted=wanted)
    def sell(self, order: int, wanted: list[tuple[int, int]]) -> None:
        """The usual way, so that shipments have something to ship."""
        self.hold(order, wanted, 60, partial=True, allocation=None, ship_to=None)
        self.commit(order)

    @rule(part=st.integers(0, 2), quantity=st.integers(1, 6), lost=st.booleans())
    def ship_what_is_open(self, part: int, quantity: int, lost: bool) -> None:
        """Of the first order that has something to ship, which may just have been found missing."""
        for order, hold in self.model.holds.items():
            if hold.status == "COMMITTED" and (lines := hold.open()):
                (sku, place), number = next(iter(lines.items()))
                there = self.skus.index(sku), self.places.index(place)
                if lost:
                    self.recount(*there, number - 1)
                self.ship(self.orders.index(order), part, [(*there, min(number, quantity))] if part else None)
                return

    @rule(seconds=st.sampled_from([1, 30, 59, 60, 61]))
    def clock(self, seconds: int) -> None:
        self.model.now += timedelta(seconds=seconds)

    @rule()
    def expire(self) -> None:
        self.do(expire_holds, None, self.model.expire)

    @rule()
    def again(self) -> None:
        """What came last comes once more."""
        if self.last:
            self.do(*self.last)

    # Keepers

    @rule(
        sku=skus, place=places, delta=st.integers(-6, 9).filter(bool),
        reason=st.sampled_from(["received", "returned", "damaged", "correction"]), late=st.booleans(),
    )  # fmt: skip
    def adjust(self, sku: int, place: int, delta: int, reason: Any, late: bool) -> None:
        at, moved = self.at(sku, place), self.model.now - timedelta(days=1) if late else None
        request = AdjustStock(sku=at[0], location=at[1], delta=delta, reason=reason, at=moved)
        self.do(adjust_stock, request, lambda: self.model.adjust(at, delta, reason, moved))

    @rule(sku=skus, place=places, on_hand=few)
    def recount(self, sku: int, place: int, on_hand: int) -> None:
        at = self.at(sku, place)
        request = SetStockLevel(sku=at[0], location=at[1], on_hand=on_hand)
        self.do(set_stock_level, request, lambda: self.model.recount(at, on_hand))

    @rule(
        sku=skus,
        said=st.fixed_dictionaries(
            {}, optional={"tracked": st.sampled_from([True, True, False]), "low_at": thresholds}
        ),
    )
    def set_item(self, sku: int, said: dict[str, Any]) -> None:
        request = SetItemPolicy(sku=self.skus[sku], **said)
        self.do(set_item_policy, request, lambda: self.model.item_policy(self.skus[sku], said))

    @rule(
        sku=skus,
        place=places,
        said=st.fixed_dictionaries(
            {}, optional={"safety_stock": st.integers(0, 3), "backorder_limit": st.integers(0, 5), "low_at": thresholds}
        ),
    )
    def set_level(self, sku: int, place: int, said: dict[str, Any]) -> None:
        at = self.at(sku, place)
        request = SetLevelPolicy(sku=at[0], location=at[1], **said)
        self.do(set_level_policy, request, lambda: self.model.level_policy(at, said))

    @rule(allocation=rules)
    def set_shop_rule(self, allocation: Any) -> None:
        self.do(set_allocation_policy, SetAllocationPolicy(allocation=allocation), lambda: None)
        self.model.rule = allocation

    @rule(place=places)
    def close_or_open(self, place: int) -> None:
        known = self.model.places[self.places[place]]
        known.open = not known.open
        self.world.owner.execute(
            "update inventory.locations set closed_at = case when %s then null else now() end where id = %s",
            (known.open, self.places[place]),
        )
        self.compare()

    def teardown(self) -> None:
        """Nothing is left that a later example's clock could end."""
        for order, hold in list(self.model.holds.items()):
            if hold.status == "HELD":
                self.world.run(release_hold, ReleaseHold(order_id=order), self.model.now)


@pytest.mark.parametrize("examples", [100, pytest.param(RUNS, marks=pytest.mark.nightly)])
def test_any_sequence_is_what_the_model_says(world: World, examples: int) -> None:
    run_state_machine_as_test(
        Stock,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=examples != RUNS,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
            print_blob=True,
        ),
    )
    unseen = ALL - world.seen
    print(sum(world.steps.values()), "steps", dict(world.steps), "without", unseen)
    assert len(unseen) <= (0 if examples == RUNS else len(ALL) // 4)
    for check in CHECKS:
        if check.name in BOOKS:
            assert (check.name, world.owner.execute(check.sql).fetchall()) == (check.name, [])
