"""Events that come twice, at once, late and in any order: the same ends, and one effect each."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql

from functions import load_all
from infra.carriers.rows import ENVELOPE, envelope
from infra.dispatcher.subscriptions import subscriptions
from infra.local.postgres import Cloned
from shared.inventory.events import ExtendHold, PartLine, ShipHold, StockHeld
from shared.orders.events import OrderCompleted
from shared.runtime import Event, outbox
from shared.runtime.answers import Answer
from shared.runtime.db import Database
from shared.runtime.declare import OnEvent
from shared.runtime.ids import new_id
from shared.runtime.serve import Endpoint, Runtime, endpoint
from shared.runtime.settings import Settings
from shared.runtime.work import Cause
from tests.conftest import Books
from tests.issuer import Issuer
from tests.processes import has_ended
from tests.provider import ProviderServer

CARDS = {
    "tok_approve": "confirmed",
    "tok_decline": "rejected",
    "tok_error_after_charge": "confirmed",
    "tok_capture_fails": "cancelled",
    "tok_seq:error,approve,capture_fails": "cancelled",
}
TIMERS = ("drive_sagas", "expire_holds", "resolve_unknown_payments", "rank_best_sellers")

OVERDUE = (
    "update payments.attempts set next_query_at = now() where next_query_at is not null",
    "update orders.sagas set deadline = now() where deadline is not null",
)


NEWS = sql.SQL(
    "select position, topic, {envelope} from platform.outbox where position > %(seen)s order by position"
).format(envelope=ENVELOPE)


class Shop:
    """Its events lie on a table, and the test says which of them is delivered next, to whom and how often."""

    def __init__(self, runtime: Runtime, issuer: Issuer, db: Books, chance: random.Random, owner_url: str = "") -> None:
        self._endpoints: dict[str, Endpoint[Any]] = {
            name: endpoint(declaration, runtime) for name, declaration in load_all().items()
        }
        self._readers = subscriptions(
            declaration for declaration in load_all().values() if isinstance(declaration.trigger, OnEvent)
        )
        self._issuer, self._db, self.chance = issuer, db, chance
        self._database = Database(owner_url, 1)
        self.goods_are_sent = bool(owner_url)
        self._seen = 0
        self.waiting: list[tuple[str, Any]] = []

    async def ask(self, name: str, path: str, body: Any = None, role: str = "admin") -> Any:
        target = self._endpoints[name]
        headers = {
            "authorization": f"Bearer {self._issuer.token('ann', role)}",
            "content-type": "application/json",
            "idempotency-key": str(new_id()),
        }
        content = b"" if body is None else json.dumps(body).encode()
        answer = await target.handle(target.trigger.method, path, b"", headers, content)
        assert answer.status < 300, answer
        return json.loads(answer.body)

    async def say(self, *commands: Event) -> None:
        """What the orders' side will ask for once goods are sent: nobody else says it yet."""
        async with self._database.transaction("") as db:
            outbox.leave(db, "/shop/orders/send-goods", commands, [Cause("goods")] * len(commands))

    async def follow_up(self, row: Any) -> None:
        """A buyer takes longer than most; two mugs leave in two parcels."""
        order = UUID(row.key)
        if row.type == StockHeld.type and self.chance.random() < 0.5:
            await self.say(ExtendHold(order_id=order, expires_in_s=1000))
        if row.type == OrderCompleted.type:
            one = [PartLine(sku="mug", quantity=1)]
            await self.say(*(ShipHold(order_id=order, part_id=UUID(int=part), lines=one) for part in (1, 2)))

    async def look(self) -> None:
        """Lays down what was said since the last look, once for each who takes it."""
        rows = await self._db.all(NEWS.as_string(), seen=self._seen)
        for row in rows:
            if self.goods_are_sent and row.topic in (StockHeld.topic, OrderCompleted.topic):
                await self.follow_up(row)
            self._seen = row.position
            for reader in self._readers:
                if row.topic in reader.consumer.topics and reader.wants(row.type):
                    self.waiting.append((reader.consumer.name.replace("-", "_"), row))

    async def deliver(self, consumer: str, row: Any) -> Answer:
        said = envelope(row[2:])
        return await self._endpoints[consumer].handle("POST", "/", b"", said.to_http_headers(), said.data)

    async def close(self) -> None:
        await self._database.close()

    async def all_ended(self, orders: Iterable[str]) -> bool:
        return all([has_ended(await self.ask("get_order", f"/v1/orders/{order}")) for order in orders])

    async def tick(self) -> None:
        """What the timers look at is overdue."""
        for statement in OVERDUE:
            await self._db.run(statement)
        for timer in TIMERS:
            answer = await self._endpoints[timer].handle("POST", "/", b"", {}, b"{}")
            assert answer.status == 204, answer

    async def settle(self, deliveries: list[tuple[str, Any]]) -> None:
        answers = await asyncio.gather(*(self.deliver(*delivery) for delivery in deliveries))
        again = [
            delivery for delivery, answer in zip(deliveries, answers, strict=True) if answer.status == 503
        ]  # two that move the same rows at once may have to give way
        assert {answer.status for answer in answers} <= {204, 503}, answers
        self.waiting += again


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[ProviderServer]:
    """With books of the test's own, which are compared whole."""
    server = ProviderServer(tmp_path / "books.sqlite")
    yield server
    server.stop()


@pytest.fixture
def settings(settings: Settings, provider: ProviderServer) -> Settings:
    return replace(settings, provider_url=provider.url)


async def opened(shop: Shop, on_hand: int) -> None:
    await shop.ask("create_location", "/v1/locations", {"id": "LON", "name": "London"})
    product = {"title": "A mug", "variants": [{"sku": "mug", "price_minor": 1000}]}
    await shop.ask("create_product", "/v1/products", product)
    await shop.ask("set_stock_level", "/v1/stock/mug/LON", {"on_hand": on_hand, "reason": "recount"})


async def ordered(shop: Shop, card: str, quantity: int = 1) -> str:
    body = {"lines": [{"sku": "mug", "quantity": quantity}], "payment_token": card}
    return str((await shop.ask("place_order", "/v1/orders", body, "customer"))["id"])


async def holds(shop: Shop) -> list[Any]:
    """What does not hold; the log and the offsets are the carriers', which are not here."""
    found = await shop.ask("check_invariants", "/v1/invariants", role="operator")
    return [check for check in found["checks"] if check["violations"]]


async def differs(shop: Shop) -> list[Any]:
    """Where the catalogue's derived rows are not what their sources say."""
    await shop.tick()
    found = []
    for part in ("stock", "sales", "listings", "words"):
        rebuilt = await shop.ask("rebuild_catalog", "/v1/admin/catalog-rebuild", {"part": part}, "operator")
        found += rebuilt["differences"]
    return found


async def test_eight_deliveries_of_every_event_at_once_have_one_effect(
    runtime: Runtime, issuer: Issuer, db: Books
) -> None:
    shop = Shop(runtime, issuer, db, random.Random(0))
    await opened(shop, 5)
    orders = {await ordered(shop, card): end for card, end in CARDS.items()}
    while shop.waiting or not await shop.all_ended(orders):
        await shop.look()
        if shop.waiting:
            await shop.settle([shop.waiting.pop(0)] * 8)
        else:
            await shop.tick()
        await shop.look()

    effects = Counter(
        (row.consumer, row.event_id) for row in await db.all("select consumer, event_id from platform.inbox")
    )
    assert set(effects.values()) == {1}
    assert await ends(shop, orders) == orders
    assert await holds(shop) == []
    assert await differs(shop) == []


async def ends(shop: Shop, orders: dict[str, str]) -> dict[str, str]:
    return {order: (await shop.ask("get_order", f"/v1/orders/{order}"))["status"] for order in orders}


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(3, 60))])
async def test_any_order_with_any_duplicates_leads_to_the_same_ends(
    seed: int, runtime: Runtime, issuer: Issuer, db: Books, database: Cloned
) -> None:
    """Nothing of one order waits for anything: far worse than any carrier would do."""
    shop = Shop(runtime, issuer, db, random.Random(seed), database.owner_url)
    await opened(shop, 40)
    orders = {await ordered(shop, card, 2): end for card, end in list(CARDS.items()) * 2}
    delivered: list[tuple[str, Any]] = []
    await shop.look()
    while shop.waiting or not await shop.all_ended(orders):
        if not shop.waiting or shop.chance.random() < 0.05:
            await shop.tick()
        shop.chance.shuffle(shop.waiting)
        count = shop.chance.randint(1, 6)
        fresh, shop.waiting = shop.waiting[:count], shop.waiting[count:]
        delivered += fresh
        again = shop.chance.choices(delivered, k=shop.chance.randint(0, 6)) if delivered else []
        await shop.settle([*fresh, *again])
        await shop.look()
    await shop.close()

    assert await ends(shop, orders) == orders
    sold = [order for order, end in orders.items() if end == "confirmed"]
    shipped = await db.all("select order_id from inventory.holds where status = 'SHIPPED'")
    assert {str(row.order_id) for row in shipped} == set(sold)
    assert await db.value("select on_hand from inventory.stock") == 40 - 2 * len(sold)
    assert await holds(shop) == []
    assert await differs(shop) == []
