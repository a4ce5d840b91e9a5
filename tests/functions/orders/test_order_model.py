"""Any sequence of what buyers, staff and time do to orders ends as a plain model says: status, stock and money.

All functions are the real ones, each under its own role, and the provider has books of its own. `make order-model
RUNS=1000` tries a thousand sequences.
"""

import json
import os
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from infra.local.postgres import SharedServer
from tests.functions.orders.order_model import ASKS, BAD, CARDS, GOOD, PRICES, Model
from tests.proof.runs import Stage, stage
from tests.proof.simulation import Simulation

RUNS = int(os.environ.get("ORDER_MODEL_RUNS", "300"))
ON_HAND = {"cup": 4, "mug": 6}
ENDS = {"awaiting_customer", "confirmed", "rejected", "expired", "cancelled", "completed"}

STOCK = "select sku, on_hand, held, committed from inventory.stock order by sku"
ORDERS = """
select o.status, h.status as hold, coalesce(p.pending = 'action_required', false) as acts,
  coalesce(p.authorized_minor, 0) as authorized, coalesce(p.captured_minor, 0) as captured,
  coalesce(p.voided_minor, 0) as voided, coalesce(p.refunded_minor, 0) as refunded
from orders.orders o left join inventory.holds h on h.order_id = o.id
left join payments.payments p on p.order_id = o.id
order by o.created_at, o.id
"""
AT_THE_BANK = """
select coalesce(sum(authorized_minor), 0), coalesce(sum(captured_minor), 0), coalesce(sum(voided_minor), 0),
  coalesce(sum(refunded_minor), 0)
from authorizations
"""
MONEY = ("authorized", "captured", "voided", "refunded")
TO_SHIP = "select id from orders.fulfilments where order_id = '{}' and status = 'pending'"
UNFINISHED = "select exists (select from payments.attempts where finished_at is null and state <> 'action')"


@pytest.fixture(scope="module")
def made(server: SharedServer) -> Iterator[Stage]:
    with stage(server) as made:
        yield made


async def opened(shop: Simulation) -> None:
    await shop.ask("create_location", "/v1/locations", {"id": "LON", "name": "London"})
    for sku, price in PRICES.items():
        product = {"title": sku.title(), "variants": [{"sku": sku, "price_minor": price}]}
        await shop.ask("create_product", "/v1/products", product)
        await shop.ask("set_stock_level", f"/v1/stock/{sku}/LON", {"on_hand": ON_HAND[sku], "reason": "recount"})


async def settled(shop: Simulation) -> None:
    """All is delivered, in its order; what waits for another of its order at the provider is let go on."""
    while True:
        await shop.hear()
        while shop.waiting:
            await shop.hand_over([shop.waiting.pop(0)])
            await shop.hear()
        if shop.bank.told():
            await shop.post_letters()
        elif await shop.db.value(UNFINISHED):
            shop.advance(2)
            await shop.run_timer("resolve_unknown_payments")
        else:
            return


async def state(shop: Simulation) -> dict[str, Any]:
    return {
        "levels": {
            row.sku: {"on_hand": row.on_hand, "held": row.held, "committed": row.committed}
            for row in await shop.db.all(STOCK)
        },
        "orders": [
            {
                "status": row.status,
                "hold": row.hold,
                "acts": row.acts,
                "money": {name: getattr(row, name) for name in MONEY},
            }
            for row in await shop.db.all(ORDERS)
        ],
    }


numbers = st.integers(0, 5)
lines = st.dictionaries(st.sampled_from(sorted(PRICES)), st.integers(1, 3), min_size=1)
cards = st.sampled_from(CARDS)
skus = st.sampled_from(sorted(PRICES))


class Orders(RuleBasedStateMachine):
    made: ClassVar[Stage]
    seen: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.lent = self.made.shop("orders")
        self.shop, self.run = self.lent.__enter__()
        self.model = Model(ON_HAND)
        self.run(opened(self.shop))

    def compare(self) -> None:
        self.run(settled(self.shop))
        now = self.run(state(self.shop))
        expected = self.model.state()
        assert now == expected
        (row,) = self.shop.bank.all(AT_THE_BANK)
        assert tuple(row) == tuple(sum(order["money"][name] for order in expected["orders"]) for name in MONEY)
        self.seen.update(order["status"] for order in expected["orders"])

    def order(self, number: int) -> tuple[int, str] | None:
        """The number and id of one that there is."""
        if not self.shop.orders:
            return None
        number %= len(self.shop.orders)
        return number, self.shop.orders[number]

    def ask(self, name: str, path: str, body: Any, role: str, subject: str) -> int:
        answer = self.run(self.shop.answer(name, path, body, role, subject))
        assert answer.status < 500, answer
        if name == "place_order":
            self.shop.order_of(answer)
        return answer.status

    @rule(lines=lines, card=cards, waits=st.booleans(), later=st.integers(0, 3).map(lambda n: n == 0))
    def place(self, lines: dict[str, int], card: str, waits: bool, later: bool, cancelled: bool = False) -> None:
        """The clock goes on, so that orders have an order."""
        self.shop.advance(0.01)
        body: dict[str, Any] = {
            "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()],
            "payment_token": card,
            "on_decline": "wait" if waits else "reject",
        }
        terms = {"prices_include_tax": True, "capture": "at_shipment" if later else "now"}
        assert self.ask("set_pricing_terms", "/v1/admin/pricing-terms", terms, "admin", "ann") == 200
        number = len(self.shop.orders)
        assert self.ask("place_order", "/v1/orders", body, "customer", f"buyer-{number}") == 201
        id = self.shop.orders[number]
        if cancelled:
            path = f"/v1/orders/{id}/cancel"
            assert self.ask("cancel_order", path, {"reason": "no"}, "customer", f"buyer-{number}") == 202
        self.model.place(lines, card, waits=waits, later=later, cancelled=cancelled)
        self.compare()

    @rule(lines=lines, card=cards)
    def place_and_cancel_at_once(self, lines: dict[str, int], card: str) -> None:
        self.place(lines, card, waits=False, later=False, cancelled=True)

    @rule(number=numbers, card=cards)
    def pay(self, number: int, card: str) -> None:
        if (known := self.order(number)) is not None:
            body = {"payment_token": card}
            status = self.ask("pay_order", f"/v1/orders/{known[1]}/pay", body, "customer", f"buyer-{known[0]}")
            assert status == (202 if self.model.pay(known[0], card) else 409)
            self.compare()

    @rule(number=numbers, confirms=st.booleans())
    def act(self, number: int, confirms: bool) -> None:
        if (known := self.order(number)) is not None:
            pending = (
                "select id from actions join authorizations using (id) where state = 'pending' and reference = '{}'"
            )
            for row in self.shop.bank.all(pending.format(known[1])):
                assert self.run(self.shop.bank.decide(row["id"], "complete" if confirms else "fail")) == 200
            self.model.act(known[0], confirms=confirms)
            self.compare()

    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        if (known := self.order(number)) is not None:
            body = {"reason": "changed my mind"}
            status = self.ask("cancel_order", f"/v1/orders/{known[1]}/cancel", body, "customer", f"buyer-{known[0]}")
            assert status == (202 if self.model.cancel(known[0]) else 409)
            self.compare()

    def line_of(self, number: int, sku: str) -> int:
        """Its number; one that there is not, of what was not ordered."""
        return [*self.model.orders[number].lines, sku].index(sku) + 1

    @rule(number=numbers, sku=skus, units=st.integers(1, 3))
    def ship(self, number: int, sku: str, units: int) -> None:
        if (known := self.order(number)) is not None:
            pending = self.run(self.shop.db.all(TO_SHIP.format(known[1])))
            body = {"lines": [{"line_no": self.line_of(known[0], sku), "quantity": units}]}
            allowed = self.model.ship(known[0], sku, units)
            assert not allowed or pending
            for one in pending:
                status = self.ask("ship_fulfilment", f"/v1/admin/fulfilments/{one.id}/ship", body, "admin", "ann")
                assert status == (202 if allowed else 409)
            self.compare()

    @rule(number=numbers, sku=skus, units=st.integers(1, 3))
    def cancel_line(self, number: int, sku: str, units: int) -> None:
        if (known := self.order(number)) is not None:
            path = f"/v1/orders/{known[1]}/lines/{self.line_of(known[0], sku)}/cancel"
            body = {"quantity": units, "reason": "too many"}
            status = self.ask("cancel_line", path, body, "customer", f"buyer-{known[0]}")
            assert status == (202 if self.model.cancel_line(known[0], sku, units) else 409)
            self.compare()

    @rule(number=numbers, amount=st.sampled_from([1, 499, 2000]))
    def pay_back(self, number: int, amount: int) -> None:
        if (known := self.order(number)) is not None:
            body = {"amount_minor": amount, "reason": "came late"}
            status = self.ask("refund_order", f"/v1/admin/orders/{known[1]}/refunds", body, "admin", "ann")
            assert status == (202 if self.model.pay_back(known[0], amount) else 409)
            self.compare()

    @rule(number=numbers, sku=skus, units=st.integers(1, 2), restock=st.booleans())
    def send_back(self, number: int, sku: str, units: int, restock: bool) -> None:
        if (known := self.order(number)) is not None:
            line = {"line_no": self.line_of(known[0], sku), "quantity": units}
            body: dict[str, Any] = {"lines": [line], "reason": "does not fit"}
            status = self.ask("authorize_return", f"/v1/admin/orders/{known[1]}/returns", body, "admin", "ann")
            assert status == (201 if self.model.send_back(known[0], sku, units, restock=restock) else 409)
            if status == 201:
                one = self.run(self.shop.db.value("select id from orders.goods_returns where status = 'authorized'"))
                body = {"location": "LON", "lines": [line | {"condition": "restock" if restock else "damaged"}]}
                path = f"/v1/admin/goods-returns/{one}/receipts"
                assert self.ask("receive_return", path, body, "admin", "ann") == 202
            self.compare()

    @rule(lines=lines, chosen=st.lists(st.tuples(skus, st.integers(1, 2)), min_size=1, max_size=4))
    def place_and_ship(self, lines: dict[str, int], chosen: list[tuple[str, int]]) -> None:
        self.place(lines, GOOD, waits=False, later=len(chosen) % 2 == 0)
        for sku, units in chosen:
            self.ship(len(self.shop.orders) - 1, sku, units)

    @rule(
        number=numbers,
        sku=skus,
        units=st.integers(1, 2),
        price=st.sampled_from([0, 300, 900]),
    )
    def take_back(self, number: int, sku: str, units: int, price: int) -> None:
        if (known := self.order(number)) is not None:
            self.shop.advance(0.01)
            body = {
                "customer_id": f"buyer-{known[0]}",
                "sku": sku,
                "quantity": units,
                "unit_price_minor": price,
                "returned_at": self.shop.clock.now.isoformat(),
                "reason": "broken",
            }
            assert self.ask("return_goods", "/v1/admin/returns", body, "admin", "ann") == 201
            self.model.take_back(known[0], sku, units, price)
            self.compare()

    @rule(sku=st.sampled_from(sorted(PRICES)), units=st.integers(0, 8))
    def count(self, sku: str, units: int) -> None:
        body = {"on_hand": units, "reason": "recount"}
        assert self.ask("set_stock_level", f"/v1/stock/{sku}/LON", body, "admin", "ann") == 200
        self.model.count(sku, units)
        self.compare()

    @rule()
    def much_later(self) -> None:
        self.shop.advance(1000)
        self.run(settled(self.shop))
        for timer in ("expire_holds", "drive_sagas", "drive_steps", "resolve_unknown_payments"):
            self.run(self.shop.run_timer(timer))
        self.model.much_later()
        self.compare()

    @rule(lines=lines, card=st.sampled_from([BAD, ASKS]))
    def place_and_forget(self, lines: dict[str, int], card: str) -> None:
        self.place(lines, card, waits=True, later=False)
        self.much_later()

    def teardown(self) -> None:
        try:
            assert json.dumps(self.run(self.shop.broken_invariants())) == "[]"
        finally:
            self.lent.__exit__(None, None, None)


@pytest.mark.parametrize("examples", [25, pytest.param(RUNS, marks=pytest.mark.nightly)])
def test_any_life_of_orders_is_what_the_model_says(made: Stage, examples: int) -> None:
    Orders.made = made
    run_state_machine_as_test(
        Orders,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            derandomize=examples != RUNS,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if examples == RUNS else (Phase.generate,),
            print_blob=True,
        ),
    )
    assert Orders.seen >= ENDS
