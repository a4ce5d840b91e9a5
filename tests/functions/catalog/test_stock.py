"""The stock that shoppers see is what the inventory said last, whatever the order in which it is heard."""

import asyncio
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import sql

from functions.catalog.create_product import create_product
from functions.catalog.get_product import get_product
from functions.catalog.list_products import list_products
from functions.catalog.track_stock import track_stock
from functions.catalog.update_product import update_product
from functions.inventory.create_location import CreateLocation, create_location
from functions.inventory.set_level_policy import set_level_policy
from functions.inventory.set_stock_level import set_stock_level
from infra.carriers import rows
from shared.inventory import events as inventory
from shared.inventory.events import (
    LevelDepleted,
    LevelLow,
    LevelReplenished,
    StockAdjusted,
    StockDepleted,
    StockLow,
    StockReceived,
    StockReplenished,
    StockShipped,
    StockShortfall,
    StockStatus,
    StockTransferred,
)
from shared.runtime import Event
from shared.runtime.declare import OnEvent
from shared.runtime.events import Envelope
from shared.runtime.ids import new_id
from shared.runtime.serve import Endpoint
from tests.conftest import ADMIN, NOW, Ask, Books, Run, declaration_of

AS_ADMIN = ("admin",)
NEWS = sql.SQL("select {} from platform.outbox where topic = 'shop.stock' order by position").format(rows.ENVELOPE)
Say = Callable[..., Any]


@pytest.fixture
def say(endpoint_of: Callable[[Callable[..., Any]], Endpoint[Any]]) -> Say:
    """Delivers one event with its place in its stream."""

    async def say(event: Event, sequence: int, *, id: str | None = None) -> None:
        envelope = Envelope(
            id=id or str(new_id()),
            source="/shop/inventory/test",
            type=event.type,
            time=f"2026-03-01T12:00:{sequence % 60:02}.000000Z",
            data=event.model_dump_json().encode(),
            subject=event.subject,
            partitionkey=event.key,
            sequence=str(sequence),
        )
        answer = await endpoint_of(track_stock).handle("POST", "/", b"", envelope.to_http_headers(), envelope.data)
        assert answer.status == 204, answer

    return say


def low(sku: str = "MUG") -> Event:
    return StockLow(sku=sku, status="low", was="in_stock", available=3, low_at=5)


def depleted(sku: str = "MUG") -> Event:
    return StockDepleted(sku=sku, status="out_of_stock", was="low", available=0, low_at=5)


def replenished(sku: str = "MUG") -> Event:
    return StockReplenished(sku=sku, status="in_stock", was="out_of_stock", available=50, low_at=5)


def adjusted(status: StockStatus | None, sku: str = "MUG") -> Event:
    return StockAdjusted(
        sku=sku, location="LON", delta=1, on_hand=1, held=0, committed=0, available=1, shortfall=0, version=1,
        ledger_id=1, reason="count", actor="ann", at=NOW, sku_available=None if status is None else 9, status=status,
    )  # fmt: skip


async def product(ask: Ask, *skus: str, **said: Any) -> Any:
    variants = [{"sku": sku, "price_minor": 100, "options": {"size": sku}} for sku in skus]
    made = await ask(create_product, "/v1/products", {"title": "Mug", "variants": variants, **said}, roles=AS_ADMIN)
    assert made.status == 201, made
    return json.loads(made.body)


async def shown(ask: Ask, sku: str = "MUG") -> Any:
    return json.loads((await ask(get_product, f"/v1/products/{sku}")).body)


async def test_a_sku_never_spoken_of_is_out_of_stock(ask: Ask) -> None:
    await product(ask, "MUG")
    seen = await shown(ask)

    assert seen["availability"] == "out_of_stock"
    assert seen["stock"] == {"MUG": {"status": "out_of_stock", "as_of": None}}


async def test_each_word_of_the_inventory_is_shown_with_its_time(ask: Ask, say: Say) -> None:
    await product(ask, "MUG")
    for sequence, (event, status) in enumerate(
        [(replenished(), "in_stock"), (low(), "low"), (depleted(), "out_of_stock"), (adjusted("in_stock"), "in_stock")],
        1,
    ):
        await say(event, sequence)
        seen = await shown(ask)

        assert (seen["availability"], seen["stock"]["MUG"]["status"]) == (status, status)
        assert seen["stock"]["MUG"]["as_of"] == f"2026-03-01T12:00:{sequence:02}.000000Z"


async def test_an_adjustment_that_tells_no_status_leaves_the_status_alone(ask: Ask, say: Say) -> None:
    await product(ask, "MUG")
    await say(replenished(), 1)
    await say(adjusted(None), 2)

    assert (await shown(ask))["availability"] == "in_stock"


async def test_a_status_that_comes_after_a_later_event_without_one_is_heeded(ask: Ask, say: Say) -> None:
    await product(ask, "MUG")
    await say(replenished(), 1)
    await say(StockShortfall(sku="MUG", location="LON", shortfall=1), 3)
    await say(low(), 2)
    assert (await shown(ask))["availability"] == "low"

    await say(replenished(), 1)
    assert (await shown(ask))["availability"] == "low"
    answer = await ask(get_product, "/v1/products/MUG", sequence_token="shop.stock/MUG@3", prefer="wait=0")
    assert "stale" not in answer.headers


async def test_the_etag_changes_with_the_stock(ask: Ask, say: Say) -> None:
    await product(ask, "MUG")
    before = await ask(get_product, "/v1/products/MUG")
    await say(replenished(), 1)
    after = await ask(get_product, "/v1/products/MUG", if_none_match=before.headers["etag"])

    assert (after.status, after.headers["etag"] == before.headers["etag"]) == (200, False)
    assert (await ask(get_product, "/v1/products/MUG", if_none_match=after.headers["etag"])).status == 304


async def test_stock_that_was_told_before_the_product_is_known_at_once(ask: Ask, say: Say) -> None:
    await say(low(), 4)
    await product(ask, "MUG")

    assert (await shown(ask))["availability"] == "low"


async def test_a_product_is_as_available_as_its_best_variant(ask: Ask, say: Say) -> None:
    await product(ask, "S", "M", "L")
    await say(depleted("S"), 1)
    await say(low("M"), 1)
    assert (await shown(ask, "S"))["availability"] == "low"
    await say(replenished("L"), 1)
    seen = await shown(ask, "S")

    assert seen["availability"] == "in_stock"
    assert {sku: stock["status"] for sku, stock in seen["stock"].items()} == {
        "S": "out_of_stock",
        "M": "low",
        "L": "in_stock",
    }


async def test_a_sku_takes_its_stock_along_to_another_product(ask: Ask, say: Say) -> None:
    await product(ask, "MUG", "CUP", slug="first")
    await say(low("CUP"), 1)
    first = {"variants": [{"sku": "MUG", "price_minor": 100}]}
    assert (await ask(update_product, "/v1/products/first", first, roles=AS_ADMIN, if_match='"1"')).status == 200
    await product(ask, "CUP", slug="second")
    await say(replenished("CUP"), 2)

    assert (await shown(ask, "second"))["availability"] == "in_stock"
    assert (await shown(ask, "first"))["stock"].keys() == {"MUG"}


async def test_lists_filter_by_what_is_available_now(ask: Ask, say: Say) -> None:
    await product(ask, "MUG", slug="mug")
    await product(ask, "CUP", slug="cup")
    await say(replenished("MUG"), 1)

    async def listed(query: str) -> list[str]:
        page = json.loads((await ask(list_products, f"/v1/products?{query}")).body)
        return sorted(item["slug"] for item in page["items"])

    assert await listed("availability=in_stock") == ["mug"]
    assert await listed("availability=out_of_stock&availability=in_stock") == ["cup", "mug"]
    await say(depleted("MUG"), 2)
    assert await listed("availability=in_stock") == []


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_with_any_duplicates_leaves_the_same_rows(seed: int, ask: Ask, say: Say, db: Books) -> None:
    chance = random.Random(seed)
    await product(ask, "S", "M")
    ways = (low, depleted, replenished)
    told = [(chance.choice(ways)(sku), sequence) for sku in ("S", "M") for sequence in range(1, 13)]
    named = [(event, sequence, str(new_id())) for event, sequence in told]
    heard = [*named, *chance.choices(named, k=12)]
    chance.shuffle(heard)
    for event, sequence, id in heard:
        await say(event, sequence, id=id)

    last = {event.key: event.status for event, sequence, _ in named if sequence == 12}  # type: ignore[attr-defined]
    rows = await db.all("select sku, status, sequence from catalog.stock order by sku")
    assert [(row.sku, row.status, row.sequence) for row in rows] == [("M", last["M"], 12), ("S", last["S"], 12)]
    seen = await shown(ask, "S")
    assert {sku: stock["status"] for sku, stock in seen["stock"].items()} == last
    now = await db.one("select stock, availability from catalog.listings_now")
    listed = await db.one("select l.stock, s.availability from catalog.listings l, catalog.search_entries s")
    assert tuple(listed) == tuple(now)


async def test_nothing_is_lost_between_a_product_written_and_its_stock_told(ask: Ask, say: Say, db: Books) -> None:
    """Both write the listing; the stock row is where they meet."""
    await product(ask, "MUG", slug="mug")
    versions = itertools.count(1)

    async def retitled() -> None:
        for version in itertools.islice(versions, 30):
            patch = {"title": f"Mug {version}"}
            answer = await ask(update_product, "/v1/products/mug", patch, roles=AS_ADMIN, if_match=f'"{version}"')
            assert answer.status == 200, answer

    async def told() -> None:
        for sequence in range(1, 31):
            await say(chance.choice([low, depleted, replenished])(), sequence)

    chance = random.Random(1)
    await asyncio.gather(retitled(), told())

    now = await db.one("select document, stock from catalog.listings_now")
    assert tuple(await db.one("select document, stock from catalog.listings")) == tuple(now)


async def test_a_read_waits_for_what_a_write_left(ask: Ask, say: Say) -> None:
    await product(ask, "MUG")
    paths: dict[Callable[..., Any], str] = {get_product: "/v1/products/MUG", list_products: "/v1/products"}
    for sequence, (function, path) in enumerate(paths.items(), 1):
        token = f"shop.stock/MUG@{sequence}"
        waiting = asyncio.create_task(ask(function, path, sequence_token=token, prefer="wait=10"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await say((replenished, low)[sequence - 1](), sequence)
        answer = await waiting

        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        assert ("in_stock", "low")[sequence - 1] in answer.body.decode()
        assert "stale" not in answer.headers


def of_a_level(kind: type[Any]) -> Event:
    said = adjusted("in_stock").model_dump()
    event: Event = kind(**said)
    return event


TOLD: dict[str, tuple[Event, StockStatus | None]] = {
    "LevelLow": (LevelLow(sku="MUG", location="LON", status="low", was="in_stock", available=1, low_at=2), None),
    "LevelDepleted": (
        LevelDepleted(sku="MUG", location="LON", status="backorder", was="low", available=0, low_at=2),
        None,
    ),
    "LevelReplenished": (
        LevelReplenished(sku="MUG", location="LON", status="in_stock", was="low", available=9, low_at=2),
        None,
    ),
    "StockShortfall": (StockShortfall(sku="MUG", location="LON", shortfall=1), None),
    "StockReceived": (of_a_level(StockReceived), "in_stock"),
    "StockTransferred": (of_a_level(StockTransferred), "in_stock"),
    "StockShipped": (of_a_level(StockShipped), "in_stock"),
    "StockAdjusted": (adjusted("in_stock"), "in_stock"),
    "StockLow": (low(), "low"),
    "StockDepleted": (depleted(), "out_of_stock"),
    "StockReplenished": (replenished(), "in_stock"),
}
"""Every type of the topic, and the status of the SKU that it tells."""


def test_every_type_of_the_topic_is_heeded() -> None:
    """One that is not would leave whoever waits for its place in the stream waiting."""
    kinds = [kind for kind in vars(inventory).values() if isinstance(kind, type) and issubclass(kind, Event)]
    topic = {kind.__name__ for kind in kinds if getattr(kind, "topic", "") == "shop.stock"}
    trigger = declaration_of(track_stock).trigger
    assert isinstance(trigger, OnEvent)

    assert topic == TOLD.keys() == {kind.__name__ for kind in trigger.events}


async def test_a_reader_reaches_what_every_type_left(ask: Ask, say: Say) -> None:
    await product(ask, "MUG")
    await say(low(), 1)
    status: StockStatus = "low"
    for sequence, (name, (event, told)) in enumerate(TOLD.items(), 2):
        await say(event, sequence)
        status = told or status
        answer = await ask(
            get_product, "/v1/products/MUG", sequence_token=f"shop.stock/MUG@{sequence}", prefer="wait=0"
        )
        assert "stale" not in answer.headers, name
        assert json.loads(answer.body)["stock"]["MUG"]["status"] == status, name


async def test_what_a_level_policy_left_is_reached(
    ask: Ask, run: Run, db: Books, endpoint_of: Callable[[Callable[..., Any]], Endpoint[Any]]
) -> None:
    """From the function that writes to the reader that waits for it, by the token that it was given."""
    await product(ask, "MUG")
    await run(create_location, CreateLocation(id="LON", name="London"), caller=ADMIN)
    for path, function, body in (
        ("/v1/stock/MUG/LON", set_stock_level, {"on_hand": 9}),
        ("/v1/stock/MUG/LON/policy", set_level_policy, {"low_at": 3, "backorder_limit": 2}),
        ("/v1/stock/MUG/LON", set_stock_level, {"on_hand": 2}),
    ):
        answer = await ask(function, path, body, roles=AS_ADMIN)
        assert answer.status == 200, answer
        token = answer.headers["sequence-token"]
        for row in await db.all(NEWS.as_string()):
            said = rows.envelope(row)
            heard = await endpoint_of(track_stock).handle("POST", "/", b"", said.to_http_headers(), said.data)
            assert heard.status == 204
        shown_now = await ask(get_product, "/v1/products/MUG", sequence_token=token, prefer="wait=0")
        assert "stale" not in shown_now.headers, path
    assert (await shown(ask))["stock"]["MUG"]["status"] == "low"


async def test_a_read_that_cannot_wait_says_how_stale_it_is(ask: Ask, say: Say) -> None:
    await product(ask, "MUG")
    await say(low(), 3)
    answer = await ask(get_product, "/v1/products/MUG", sequence_token="shop.stock/MUG@5", prefer="wait=0")

    assert (answer.status, answer.headers["stale"]) == (200, "shop.stock/MUG@3")
