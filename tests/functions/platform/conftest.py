"""A whole shop in one process: real relay, dispatcher, functions and provider around a database of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

import psycopg
import pytest

from functions import load_all
from infra.carriers.embedded import EmbeddedOutlet, EmbeddedSource
from infra.dispatcher.dispatcher import Dispatcher, Rules
from infra.dispatcher.subscriptions import Subscription, subscriptions
from infra.local.postgres import Cloned, SharedServer
from infra.relay.relay import Relay
from shared.runtime.ids import new_id
from shared.runtime.serve import Runtime, endpoint
from shared.runtime.settings import Settings
from tests.issuer import AUDIENCE, ISSUER, Issuer
from tests.provider import ProviderServer

BEHIND = """
select count(*) from (
  select position from platform.outbox where published_at is null
  union all
  select 1 from unnest(%s::text[], %s::text[]) as r (consumer, topic)
  join platform.log_heads h using (topic)
  left join platform.consumer_offsets c using (consumer, topic, partition)
  where c.next_offset is distinct from h.next_offset
) as waiting
"""


@dataclass
class Shop:
    """Asks the shop's functions over their endpoints, by name."""

    runtime: Runtime
    issuer: Issuer
    subscribed: list[Subscription]
    owner_url: str

    async def ask(self, name: str, path: str, body: Any = None, *roles: str, subject: str = "ann") -> Any:
        """The answer's JSON; every call has a key of its own. Raises AssertionError when it is refused."""
        target = endpoint(load_all()[name], self.runtime)
        bare, _, query = path.partition("?")
        headers = {
            "authorization": f"Bearer {self.issuer.token(subject, *roles)}",
            "content-type": "application/json",
            "idempotency-key": str(new_id()),
        }
        content = b"" if body is None else json.dumps(body).encode()
        answer = await target.handle(target.trigger.method, bare, query.encode(), headers, content)
        assert answer.status < 300, answer
        return json.loads(answer.body)

    async def quiet(self) -> None:
        """Waits until all that was said is heard."""
        read = [(known.consumer.name, topic) for known in self.subscribed for topic in known.consumer.topics]
        pairs = [consumer for consumer, _ in read], [topic for _, topic in read]
        connection = await psycopg.AsyncConnection.connect(self.owner_url, autocommit=True)
        async with connection, asyncio.timeout(60):
            while True:
                row = await (await connection.execute(BEHIND, pairs)).fetchone()
                if row == (0,):
                    return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def opened(database: Cloned, settings: Settings, issuer: Issuer, **broken: Any) -> AsyncIterator[Shop]:
    """`broken` functions answer with what is given here until it is taken away: (status, body)."""
    runtime = Runtime.start(settings)
    declarations = load_all().values()
    endpoints = {declaration.service: endpoint(declaration, runtime) for declaration in declarations}

    async def deliver(consumer: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if consumer in broken:
            status, said = broken[consumer]
            return status, said
        answer = await endpoints[consumer].handle("POST", "/", b"", dict(headers), body)
        return answer.status, answer.body

    subscribed = subscriptions(declarations)
    rules = Rules(retries=1, backoff_s=0.01, commit_s=0.05)
    dispatcher = Dispatcher(EmbeddedSource(database.relay_url), deliver, subscribed, rules)
    relay = Relay(database.relay_url, EmbeddedOutlet())
    relaying, dispatching = Thread(target=relay.run), asyncio.create_task(dispatcher.run())
    relaying.start()
    try:
        yield Shop(runtime, issuer, subscribed, database.owner_url)
    finally:
        relay.stop()
        dispatcher.stop()
        await dispatching
        await asyncio.to_thread(relaying.join)
        await runtime.stop()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderServer]:
    server = ProviderServer(tmp_path_factory.mktemp("provider") / "books.sqlite")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def jwks(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> str:
    return issuer.publish(tmp_path_factory.mktemp("issuer") / "jwks.json")


@pytest.fixture(scope="module")
def lived_in(
    server: SharedServer, issuer: Issuer, provider: ProviderServer, jwks: str
) -> Iterator[tuple[Cloned, Settings]]:
    """The database of a shop where orders were sold, refused, cancelled and returned; nothing runs any more."""
    database = server.create_database_from_template()
    settings = Settings(
        database_url=database.app_url,
        jwks_url=jwks,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        provider_url=provider.url,
    )
    asyncio.run(live(database, settings, issuer))
    yield database, settings
    server.drop_database(database)


async def live(database: Cloned, settings: Settings, issuer: Issuer) -> None:
    async with opened(database, settings, issuer) as shop:
        await shop.ask("create_location", "/v1/locations", {"id": "LON", "name": "London"}, "admin")
        for sku, price, on_hand in (("mug", 1295, 50), ("tea", 450, 50), ("pen", 100, 1)):
            product = {"title": f"The {sku}", "variants": [{"sku": sku, "price_minor": price}]}
            await shop.ask("create_product", "/v1/products", product, "admin")
            level = {"on_hand": on_hand, "reason": "recount"}
            await shop.ask("set_stock_level", f"/v1/stock/{sku}/LON", level, "admin")
        await shop.ask("set_item_policy", "/v1/items/gift", {"tracked": False}, "admin")
        orders = [
            await shop.ask("place_order", "/v1/orders", order(token, **lines), "customer")
            for token, lines in (
                ("tok_approve", {"mug": 2, "tea": 1}),
                ("tok_approve", {"mug": 1}),
                ("tok_decline", {"tea": 3}),
                ("tok_capture_fails", {"tea": 4}),
                ("tok_approve", {"pen": 2}),
                ("tok_approve", {"mug": 3}),
                ("tok_approve", {"mug": 1}),
            )
        ]
        recorded = {
            "reference": "536365",
            "customer_id": "ann",
            "placed_at": "2010-12-01T08:26:00+00:00",
            "currency": "GBP",
            "lines": [
                {"sku": "mug", "title": "Mug", "quantity": quantity, "unit_price_minor": price}
                for quantity, price in ((2, 1000), (1, 1000), (1, 0))
            ]
            + [{"sku": "gift", "title": "Gift", "quantity": 1, "unit_price_minor": 5}],
            "payment_token": "tok_approve",
        }
        sold_elsewhere = await shop.ask("record_order", "/v1/admin/orders", recorded, "admin")
        await shop.quiet()
        path = f"/v1/orders/{orders[1]['id']}/cancel"
        await shop.ask("cancel_order", path, {"reason": "changed my mind"}, "customer")
        back = {
            "customer_id": "ann",
            "sku": "mug",
            "quantity": 2,
            "unit_price_minor": 1000,
            "returned_at": "2011-01-15T10:00:00+00:00",
            "reason": "cancellation C536379",
        }
        await shop.ask("return_goods", "/v1/admin/returns", back, "admin")
        await shop.ask("adjust_stock", "/v1/stock/tea/LON/adjustments", {"delta": -50, "reason": "damaged"}, "admin")
        less = {"quantity": 1, "reason": "one too many"}
        await shop.ask("cancel_line", f"/v1/orders/{orders[5]['id']}/lines/1/cancel", less, "customer")
        await shop.quiet()
        await left(shop, orders[0]["id"], {"lines": [{"line_no": 1, "quantity": 1}]})
        await left(shop, orders[5]["id"], {})
        await left(shop, sold_elsewhere["id"], {})
        await shop.quiet()
        sorry = {"amount_minor": 100, "reason": "came late"}
        await shop.ask("refund_order", f"/v1/admin/orders/{orders[5]['id']}/refunds", sorry, "operator")
        await shop.quiet()


async def left(shop: Shop, order_id: str, shipment: dict[str, Any]) -> None:
    found = await shop.ask("list_fulfilments", f"/v1/admin/fulfilments?order_id={order_id}", None, "operator")
    for one in found["items"]:
        await shop.ask("ship_fulfilment", f"/v1/admin/fulfilments/{one['id']}/ship", shipment, "operator")


def order(token: str, **lines: int) -> dict[str, Any]:
    return {
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
        "payment_token": token,
        "on_decline": "reject",
    }
