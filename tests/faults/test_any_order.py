"""Events that come twice, at once, late and in any order: the same ends, and one effect each."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.serve import Runtime
from shared.runtime.settings import Settings
from tests.conftest import Books
from tests.issuer import Issuer
from tests.processes import has_ended
from tests.proof.shop import Delivery, Shop
from tests.provider import ProviderServer

CARDS = {
    "tok_approve": "completed",
    "tok_decline": "rejected",
    "tok_error_after_charge": "completed",
    "tok_capture_fails": "cancelled",
    "tok_seq:error,approve,capture_fails": "cancelled",
}
TIMERS = ("drive_sagas", "drive_steps", "expire_holds", "resolve_unknown_payments", "rank_best_sellers")

OVERDUE = (
    "update payments.attempts set next_query_at = now() where next_query_at is not null",
    "update orders.sagas set deadline = now() where deadline is not null",
    "update orders.steps set deadline = now() where deadline is not null",
)


class Restless(Shop):
    """All that is handed over comes at once; the timers always find something overdue."""

    async def open(self, on_hand: int) -> None:
        await self.ask("create_location", "/v1/locations", {"id": "LON", "name": "London"})
        product = {"title": "A mug", "variants": [{"sku": "mug", "price_minor": 1000}]}
        await self.ask("create_product", "/v1/products", product)
        await self.ask("set_stock_level", "/v1/stock/mug/LON", {"on_hand": on_hand, "reason": "recount"})

    async def order(self, card: str, quantity: int = 1) -> str:
        body = {"lines": [{"sku": "mug", "quantity": quantity}], "payment_token": card, "on_decline": "reject"}
        return str((await self.ask("place_order", "/v1/orders", body, "customer"))["id"])

    async def send_goods(self) -> None:
        """Whatever is to be sent, unit by unit."""
        pending = await self.ask("list_fulfilments", "/v1/admin/fulfilments", query="status=pending")
        for parcel in pending["items"]:
            one = {"lines": [{"line_no": parcel["lines"][0]["line_no"], "quantity": 1}]}
            path = f"/v1/admin/fulfilments/{parcel['id']}/ship"
            answer = await self.answer("ship_fulfilment", path, one)
            assert answer.status in (202, 409), answer

    async def ends(self, orders: Iterable[str]) -> dict[str, str]:
        return {order: (await self.ask("get_order", f"/v1/orders/{order}"))["status"] for order in orders}

    async def all_ended(self, orders: Iterable[str]) -> bool:
        ended = all([has_ended(await self.ask("get_order", f"/v1/orders/{order}")) for order in orders])
        return ended and not await self.db.value("select exists (select from orders.orders where status = 'confirmed')")

    async def tick_all(self) -> None:
        for statement in OVERDUE:
            await self.db.run(statement)
        for timer in TIMERS:
            answer = await self.tick(timer)
            assert answer.status == 204, answer

    async def hand_over(self, deliveries: list[Delivery]) -> None:
        answers = await asyncio.gather(*(self.deliver(*delivery) for delivery in deliveries))
        again = [
            delivery for delivery, answer in zip(deliveries, answers, strict=True) if answer.status == 503
        ]  # two that move the same rows at once may have to give way
        assert {answer.status for answer in answers} <= {204, 503}, answers
        self.waiting += again

    async def differences(self) -> list[Any]:
        await self.tick_all()
        return await self.catalogue_differences()


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[ProviderServer]:
    """With books of the test's own, which are compared whole."""
    server = ProviderServer(tmp_path / "books.sqlite")
    yield server
    server.stop()


@pytest.fixture
def settings(settings: Settings, provider: ProviderServer) -> Settings:
    return replace(settings, provider_url=provider.url)


async def test_eight_deliveries_of_every_event_at_once_have_one_effect(
    runtime: Runtime, issuer: Issuer, db: Books
) -> None:
    shop = Restless(runtime, issuer, db)
    await shop.open(5)
    orders = {await shop.order(card): end for card, end in CARDS.items()}
    while shop.waiting or not await shop.all_ended(orders):
        await shop.look()
        if shop.waiting:
            await shop.hand_over([shop.waiting.pop(0)] * 8)
        else:
            await shop.tick_all()
            await shop.send_goods()
        await shop.look()

    effects = Counter(
        (row.consumer, row.event_id) for row in await db.all("select consumer, event_id from platform.inbox")
    )
    assert set(effects.values()) == {1}
    assert await shop.ends(orders) == orders
    assert await shop.broken_invariants() == []
    assert await shop.differences() == []


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(3, 60))])
async def test_any_order_with_any_duplicates_leads_to_the_same_ends(
    seed: int, runtime: Runtime, issuer: Issuer, db: Books
) -> None:
    """Nothing of one order waits for anything: far worse than any carrier would do."""
    shop, chance = Restless(runtime, issuer, db), random.Random(seed)
    await shop.open(40)
    orders = {await shop.order(card, 2): end for card, end in list(CARDS.items()) * 2}
    delivered: list[Delivery] = []
    await shop.look()
    while shop.waiting or not await shop.all_ended(orders):
        if not shop.waiting or chance.random() < 0.05:
            await shop.tick_all()
            await shop.send_goods()
            await shop.look()
        chance.shuffle(shop.waiting)
        count = chance.randint(1, 6)
        fresh, shop.waiting = shop.waiting[:count], shop.waiting[count:]
        delivered += fresh
        again = chance.choices(delivered, k=chance.randint(0, 6)) if delivered else []
        await shop.hand_over([*fresh, *again])
        await shop.look()

    assert await shop.ends(orders) == orders
    sold = [order for order, end in orders.items() if end == "completed"]
    shipped = await db.all("select order_id from inventory.holds where status = 'SHIPPED'")
    assert {str(row.order_id) for row in shipped} == set(sold)
    assert await db.value("select on_hand from inventory.stock") == 40 - 2 * len(sold)
    assert await shop.broken_invariants() == []
    assert await shop.differences() == []
