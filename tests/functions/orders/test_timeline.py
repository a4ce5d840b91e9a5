"""An order's timeline tells everything that happened to it, to those who may know."""

import json
from typing import Any
from uuid import UUID

import pytest

from functions.catalog.create_product import CreateProduct, create_product
from functions.orders.get_timeline import get_timeline
from functions.orders.place_order import place_order
from shared.payments.events import AuthorizePayment
from tests.conftest import ADMIN, Ask, Books, Run

TOKEN = "tok_approve_secret"


@pytest.fixture
async def order(ask: Ask, run: Run) -> UUID:
    product = CreateProduct.model_validate({"title": "Mug", "variants": [{"sku": "mug", "price_minor": 100}]})
    await run(create_product, product, caller=ADMIN)
    body = {"lines": [{"sku": "mug", "quantity": 2}], "payment_token": TOKEN}
    answer = await ask(place_order, "/v1/orders", body, roles=("customer",), idempotency_key="k")
    return UUID(json.loads(answer.body)["id"])


async def told(ask: Ask, order: UUID, *roles: str, subject: str = "customer-1") -> list[dict[str, Any]]:
    answer = await ask(get_timeline, f"/v1/orders/{order}/timeline", roles=roles, subject=subject)
    assert answer.status == 200, answer
    items: list[dict[str, Any]] = json.loads(answer.body)["items"]
    return items


async def leave(db: Books, order: UUID) -> None:
    """An event with a payment token, that a function failed on twice, and that was given up in the end."""
    event = AuthorizePayment(order_id=order, amount_minor=200, currency="GBP", payment_token=TOKEN, command_key="k")
    values = {"key": str(order), "type": event.type, "data": event.model_dump_json().encode()}
    await db.run(
        "insert into platform.outbox (id, source, type, topic, partition, key, sequence, time, data) select"
        " 'e-1', '/shop/orders/x', %(type)s, topic, 0, %(key)s, 1, clock_timestamp(), %(data)s"
        " from unnest(array['shop.payments.commands', 'shop.retry.authorize-payment']) as topic",
        **values,
    )
    await db.run(
        "insert into platform.attempts values ('authorize-payment', '/shop/orders/x', 'e-1', 2, 'KeyError: inside',"
        " clock_timestamp())"
    )
    await db.run(
        "insert into platform.dead_letters (consumer, source, event_id, type, key, reason, error, fingerprint, headers,"
        " data, received_at) values ('authorize-payment', '/shop/orders/x', 'e-1', %(type)s, %(key)s, 'parked',"
        " 'KeyError: inside', 'f', '{}', %(data)s, clock_timestamp())",
        **values,
    )


async def test_moves_events_failures_and_dead_letters_in_the_order_of_time(ask: Ask, order: UUID, db: Books) -> None:
    await leave(db, order)
    items = await told(ask, order, "operator", subject="olga")

    assert [(item["kind"], item["what"]) for item in items] == [
        ("move", "holding"),
        ("event", "shop.orders.order.created.v1"),
        ("event", "shop.inventory.hold.v1"),
        ("event", "shop.payments.authorize.v1"),
        ("failure", "authorize-payment"),
        ("dead-letter", "authorize-payment"),
    ]
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    assert items[1]["detail"]["data"]["total_minor"] == 200
    assert items[4]["detail"] == {
        "event_id": "e-1", "type": "shop.payments.authorize.v1", "attempts": 2, "error": "KeyError: inside",
    }  # fmt: skip


async def test_a_payment_token_is_never_shown(ask: Ask, order: UUID, db: Books) -> None:
    await leave(db, order)
    for roles in (("customer",), ("operator",), ("admin",)):
        items = await told(ask, order, *roles)
        assert TOKEN not in json.dumps(items)
        assert items[3]["detail"]["data"]["payment_token"] == "[redacted]"


async def test_customers_see_their_own_without_our_errors(ask: Ask, order: UUID, db: Books) -> None:
    await leave(db, order)
    items = await told(ask, order, "customer")
    stranger = await ask(get_timeline, f"/v1/orders/{order}/timeline", roles=("customer",), subject="customer-2")

    assert len(items) == 6
    assert "inside" not in json.dumps(items)
    assert stranger.status == 404


async def test_there_is_no_timeline_of_no_order(ask: Ask) -> None:
    answer = await ask(get_timeline, f"/v1/orders/{UUID(int=1)}/timeline", roles=("operator",))

    assert (answer.status, json.loads(answer.body)["type"]) == (404, "urn:kn-shop:problem:unknown-order")
