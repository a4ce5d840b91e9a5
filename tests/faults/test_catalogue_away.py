"""What the catalogue stands on goes away: shoppers and keepers are told to try again, or do not notice."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from functions.catalog.create_product import create_product
from functions.catalog.get_product import get_product
from functions.catalog.import_products import import_products
from functions.catalog.list_products import list_products
from functions.catalog.search_products import search_products
from infra.kafka.broker import Broker, start
from infra.local.postgres import Cloned
from shared.runtime.answers import Answer
from shared.runtime.serve import Endpoint
from shared.runtime.settings import Settings
from tests.conftest import Ask, Books
from tests.processes import Api, Shop, running_shop, until

AS_ADMIN = ("admin",)
SOCKET = ".s.PGSQL.5432"


class Road:
    """The way to Postgres: everything that goes over it, until it is cut."""

    def __init__(self, directory: Path, goal: Path) -> None:
        self.directory, self._goal = directory, goal
        self._server: asyncio.Server | None = None
        self._travellers: set[asyncio.StreamWriter] = set()
        self._passable = asyncio.Event()
        self._passable.set()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._carry, self.directory / SOCKET)

    @property
    def connections(self) -> int:
        return len(self._travellers) // 2

    def block(self) -> None:
        """All that is on its way stands still, and nobody is told."""
        self._passable.clear()

    def clear(self) -> None:
        self._passable.set()

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        (self.directory / SOCKET).unlink(missing_ok=True)
        for writer in self._travellers:
            writer.transport.abort()
        self._travellers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._goal)
        self._travellers |= {writer, far_writer}
        with suppress(asyncio.CancelledError):  # the test is over
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(65_536):
                await self._passable.wait()
                sink.write(piece)
                await sink.drain()
        sink.transport.abort()


def host_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]


@pytest.fixture
async def road(database: Cloned) -> AsyncIterator[Road]:
    with TemporaryDirectory(prefix="road-") as directory:
        built = Road(Path(directory), Path(host_of(database.app_url)) / SOCKET)
        await built.open()
        yield built
        await built.cut()


@pytest.fixture
def settings(settings: Settings, road: Road) -> Settings:
    there, here = host_of(settings.database_url), str(road.directory)
    return replace(settings, database_url=settings.database_url.replace(quote(there, safe=""), quote(here, safe="")))


def product(number: int) -> dict[str, Any]:
    return {"title": f"Mug {number}", "variants": [{"sku": f"MUG-{number}", "price_minor": 100}]}


def told_to_try_again(answer: Answer) -> bool:
    return answer.status == 503 and answer.headers.get("retry-after") == "1" and b"unavailable" in answer.body


async def test_without_postgres_all_are_told_to_try_again_and_then_served_as_before(
    ask: Ask, road: Road, endpoint_of: Callable[[Callable[..., Any]], Endpoint[Any]]
) -> None:
    reads: dict[Callable[..., Any], str] = {
        get_product: "/v1/products/MUG-0",
        list_products: "/v1/products",
        search_products: "/v1/search?q=mug&facets=true",
    }
    assert (await ask(create_product, "/v1/products", product(0), roles=AS_ADMIN)).status == 201
    before = {function: (await ask(function, path)).body for function, path in reads.items()}
    for _ in range(3):
        await road.cut()
        for function, path in reads.items():
            assert told_to_try_again(await ask(function, path)), path
            ready = await endpoint_of(function).handle("GET", "/health/ready", b"", {}, b"")
            assert ready.status == 503
        assert told_to_try_again(await ask(create_product, "/v1/products", product(1), roles=AS_ADMIN))
        await road.open()
        for function, path in reads.items():
            assert (await ask(function, path)).body == before[function], path


async def test_while_postgres_hangs_a_function_is_not_ready_however_often_it_is_asked(
    ask: Ask, road: Road, endpoint_of: Callable[[Callable[..., Any]], Endpoint[Any]]
) -> None:
    endpoint = endpoint_of(get_product)

    async def ready() -> tuple[int, bytes]:
        answer = await endpoint.handle("GET", "/health/ready", b"", {}, b"")
        return answer.status, answer.body

    assert await ready() == (200, b"ready\n")
    road.block()
    async with asyncio.timeout(60):  # it would hang as well
        answers = await asyncio.gather(*(ready() for _ in range(20)))
    assert {status for status, _ in answers} == {503}
    assert all(b"does not answer" in body for _, body in answers)
    assert road.connections == 1
    road.clear()

    async def ready_again() -> bool:
        return (await ready())[0] == 200

    await until(ready_again)
    assert (await ask(list_products, "/v1/products")).status == 200


async def test_what_was_accepted_is_there_and_what_was_not_can_be_sent_again(ask: Ask, road: Road, db: Books) -> None:
    """The road is cut at any moment of many writes; each is sent again under its key until it is answered."""
    answers: dict[int, list[int]] = {}

    async def kept_at(number: int) -> None:
        statuses = answers[number] = []
        while not statuses or statuses[-1] == 503:
            answer = await ask(
                create_product, "/v1/products", product(number), roles=AS_ADMIN, idempotency_key=f"k{number}"
            )
            statuses.append(answer.status)
            await asyncio.sleep(0.02)

    async def cutting() -> None:
        for _ in range(6):
            await asyncio.sleep(0.03)
            await road.cut()
            await asyncio.sleep(0.03)
            await road.open()

    await asyncio.gather(cutting(), *(kept_at(number) for number in range(1, 41)))

    assert {statuses[-1] for statuses in answers.values()} == {201}
    assert any(503 in statuses for statuses in answers.values())
    assert await db.value("select count(*) from catalog.products") == 40
    assert await db.value("select count(*) from catalog.listings") == 40
    told = """select count(*) as said, count(distinct key) as products from platform.outbox
      where type = 'shop.catalog.product.created.v1'"""
    assert tuple(await db.one(told)) == (40, 40)


async def test_an_import_that_is_cut_off_happens_once(ask: Ask, road: Road, db: Books) -> None:
    lines = b"\n".join(json.dumps(product(number)).encode() for number in range(300))
    path, sent = "/v1/admin/product-import", {"content_type": "application/x-ndjson", "idempotency_key": "file-1"}
    cut = asyncio.create_task(asyncio.sleep(0.1))
    first = asyncio.create_task(ask(import_products, path, lines, roles=AS_ADMIN, **sent))
    await cut
    await road.cut()
    answered = await first
    await road.open()
    again = await ask(import_products, path, lines, roles=AS_ADMIN, **sent)
    while again.status == 409:  # Postgres has not noticed yet that the first is gone
        await asyncio.sleep(0.1)
        again = await ask(import_products, path, lines, roles=AS_ADMIN, **sent)

    assert answered.status in (200, 503)
    assert again.status == 200
    assert json.loads(again.body)["created"] == 300
    assert (
        await db.value("select count(*) from platform.outbox where type like 'shop.catalog.product.created%%'") == 300
    )


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with start(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def shop_over(broker: Broker) -> Iterator[Shop]:
    with running_shop(KAFKA_BROKERS=broker.bootstrap) as shop:
        yield shop


@pytest.mark.xdist_group("kafka-shop")
async def test_without_the_broker_readers_and_keepers_go_on_and_nothing_is_lost(
    shop_over: Shop, broker: Broker, api_to: Callable[[Shop], Api]
) -> None:
    api = api_to(shop_over)
    skus = [await api.stocked(10) for _ in range(3)]

    async def available(sku: str, status: str) -> bool:
        return bool((await api.ask("GET", f"/v1/products/{sku}")).body["availability"] == status)

    for sku in skus:
        await until(lambda sku=sku: available(sku, "in_stock"))  # type: ignore[misc]
    await asyncio.to_thread(broker.kill)
    for sku in skus:
        left = await api.ask("PUT", f"/v1/stock/{sku}/LON", {"on_hand": 0, "reason": "recount"})
        assert left.status == 200
        found = await api.ask("GET", f"/v1/search?q={sku}")
        assert (found.status, found.body["total"]) == (200, 1)
        assert (await api.ask("GET", f"/v1/products/{sku}")).status == 200
    late = await api.stocked(10)
    await asyncio.to_thread(broker.start)
    for sku in skus:
        await until(lambda sku=sku: available(sku, "out_of_stock"))  # type: ignore[misc]
    await until(lambda: available(late, "in_stock"))
    await api.at_rest()
