"""An order agreed elsewhere keeps its prices and its time, and goes the same way as any other."""

import json
from datetime import timedelta
from typing import Any

from functions.orders.record_order import record_order
from shared.inventory.events import HoldLine, HoldStock
from shared.orders.events import OrderCreated
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.orders.sagas import recorded


def line(sku: str, quantity: int, unit_price_minor: int, title: str = "A thing") -> dict[str, Any]:
    return {"sku": sku, "title": title, "quantity": quantity, "unit_price_minor": unit_price_minor}


async def test_prices_and_time_are_those_agreed(run: Run, db: Books) -> None:
    order, emitted = await run(record_order, recorded(lines=[line("not-in-catalogue", 3, 7)]), caller=ADMIN)

    assert (order.status, order.total_minor, order.placed_at) == ("pending", 21, NOW - timedelta(days=1))
    assert order.reference == "A-1"
    assert [type(event) for event in emitted] == [OrderCreated, HoldStock]
    assert await db.value("select recorded from orders.orders") is True


async def test_lines_of_one_sku_stay_apart_and_are_held_as_one(run: Run) -> None:
    lines = [line("mug", 2, 100, "Blue"), line("tea", 1, 5), line("mug", 3, 0, "A gift")]
    order, (_, hold) = await run(record_order, recorded(lines=lines), caller=ADMIN)

    assert [(line.line_no, line.title, line.total_minor) for line in order.lines] == [
        (1, "Blue", 200),
        (2, "A thing", 5),
        (3, "A gift", 0),
    ]
    demand = [HoldLine(sku="mug", quantity=5), HoldLine(sku="tea", quantity=1)]
    assert hold == HoldStock(order_id=order.id, lines=demand, expires_in_s=900)


async def test_it_may_be_a_guests(run: Run) -> None:
    order, _ = await run(record_order, recorded(customer_id=None), caller=ADMIN)
    assert order.customer_id is None


async def test_two_thousand_lines_are_one_order(run: Run, db: Books) -> None:
    lines = [line(f"sku-{n}", 1, n) for n in range(2000)]
    order, _ = await run(record_order, recorded(lines=lines), caller=ADMIN)

    assert order.total_minor == sum(range(2000))
    assert await db.value("select count(*) from orders.order_lines") == 2000


async def test_what_is_not_an_order_is_named(ask: Ask, db: Books) -> None:
    good = json.loads(recorded().model_dump_json())
    faults: dict[str, Any] = {
        "/placed_at": "2026-01-01T00:00:00",
        "/currency": "pounds",
        "/lines": [],
        "/lines/0/unit_price_minor": [line("mug", 1, -1)],
        "/lines/0/quantity": [line("mug", 0, 1)],
        "/lines/0/title": [line("mug", 1, 1, " ")],
        "/status": "confirmed",
        "/total_minor": 1,
    }
    for pointer, value in faults.items():
        body = good | {pointer.split("/")[1]: value}
        answer = await ask(record_order, "/v1/admin/orders", body, roles=("admin",), idempotency_key="k")
        assert (answer.status, json.loads(answer.body)["errors"][0]["pointer"]) == (422, pointer)
    assert await db.all("select 1 from orders.orders") == []


async def test_customers_record_nothing(ask: Ask) -> None:
    body = json.loads(recorded().model_dump_json())
    answer = await ask(record_order, "/v1/admin/orders", body, roles=("customer",), idempotency_key="k")
    assert answer.status == 403


async def test_discounts_tax_and_shipping_are_those_agreed(run: Run, db: Books) -> None:
    agreed = line("mug", 2, 1000) | {"discount_minor": 300, "tax_minor": 283, "tax_rate_ppm": 200_000}
    shipped = {"country": "GB", "shipping_minor": 500, "shipping_tax_minor": 83, "capture": "at_shipment"}
    order, emitted = await run(record_order, recorded(lines=[agreed], **shipped), caller=ADMIN)

    assert (order.subtotal_minor, order.discount_minor, order.tax_minor, order.total_minor) == (2000, 300, 366, 2200)
    assert (order.capture, order.on_decline, order.country) == ("at_shipment", "reject", "GB")
    assert isinstance(emitted[1], HoldStock)
    assert emitted[1].ship_to == "GB"
    without, _ = await run(record_order, recorded(lines=[agreed], prices_include_tax=False, **shipped), caller=ADMIN)
    assert without.total_minor == 2200 + 283
    assert [row.action for row in await db.all("select action from orders.audit")] == ["order.recorded"] * 2


async def test_sums_that_cannot_be_are_named(ask: Ask) -> None:
    good = json.loads(recorded().model_dump_json())
    lines = [
        line("a", 1, 10) | {"discount_minor": 11},
        line("b", 1, 10) | {"tax_minor": 11},
        line("c", 10**6, 10**13),
    ]
    body = good | {"lines": lines, "shipping_tax_minor": 1}
    answer = await ask(record_order, "/v1/admin/orders", body, roles=("admin",), idempotency_key="k")
    assert answer.status == 422
    assert [(error["pointer"], error["code"]) for error in json.loads(answer.body)["errors"]] == [
        ("/lines/0/discount_minor", "discount_too_large"),
        ("/lines/1/tax_minor", "tax_too_large"),
        ("/shipping_tax_minor", "tax_too_large"),
        ("/lines", "total_too_large"),
    ]
