"""An order is placed at today's prices, once per key, and asks for its stock."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from functions.catalog.create_product import CreateProduct, create_product
from functions.orders.advance_order import advance_order
from functions.orders.get_order import get_order
from functions.orders.list_my_orders import list_my_orders
from functions.orders.place_order import place_order
from shared.inventory.events import HoldLine, HoldStock, StockHeld
from shared.orders.events import OrderCreated
from shared.orders.wanting import PlaceOrder
from shared.payments.events import PaymentAuthorized
from shared.runtime.answers import Answer
from tests.conftest import ADMIN, CUSTOMER, NOW, Ask, Books, Run

CUSTOMER_ROLE = ("customer",)


async def sell(run: Run, sku: str, price_minor: int, currency: str = "GBP") -> None:
    product = CreateProduct.model_validate(
        {"title": f"The {sku}", "variants": [{"sku": sku, "price_minor": price_minor, "currency": currency}]}
    )
    await run(create_product, product, caller=ADMIN)


def wanting(**quantities: int) -> dict[str, Any]:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
    return {"lines": lines, "payment_token": "tok_approve"}


def faults(answer: Answer) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in json.loads(answer.body)["errors"]]


async def test_the_total_is_the_sum_of_the_lines_at_todays_prices(run: Run) -> None:
    await sell(run, "mug", 1295)
    await sell(run, "tea", 450)
    order, emitted = await run(place_order, PlaceOrder.model_validate(wanting(mug=2, tea=1)))

    assert (order.status, order.total_minor, order.currency) == ("pending", 3040, "GBP")
    assert order.customer_id == CUSTOMER.subject
    assert [type(event) for event in emitted] == [OrderCreated, HoldStock]


async def test_lines_of_one_sku_ask_for_their_sum(run: Run) -> None:
    await sell(run, "mug", 100)
    lines = [{"sku": "mug", "quantity": 2}, {"sku": "mug", "quantity": 3}]
    order, emitted = await run(place_order, PlaceOrder.model_validate({**wanting(), "lines": lines}))

    assert len(order.lines) == 2
    hold = emitted[1]
    assert isinstance(hold, HoldStock)
    assert hold.lines == [HoldLine(sku="mug", quantity=5)]


async def test_every_unknown_sku_is_named(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 100)
    answer = await ask(place_order, "/v1/orders", wanting(mug=1, no=1, nor=1), roles=CUSTOMER_ROLE, idempotency_key="k")

    assert (answer.status, faults(answer)) == (422, [("/lines/1/sku", "sku_unknown"), ("/lines/2/sku", "sku_unknown")])
    assert await db.all("select 1 from orders.orders") == []


async def test_one_currency_per_order(ask: Ask, run: Run) -> None:
    await sell(run, "mug", 100)
    await sell(run, "tea", 100, "EUR")
    answer = await ask(place_order, "/v1/orders", wanting(mug=1, tea=1), roles=CUSTOMER_ROLE, idempotency_key="k")

    assert (answer.status, faults(answer)) == (422, [("/lines", "currencies_mixed")])
    assert "EUR, GBP" in json.loads(answer.body)["errors"][0]["detail"]


async def test_one_key_makes_one_order_and_the_same_answer_byte_for_byte(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 100)
    first = await ask(place_order, "/v1/orders", wanting(mug=1), roles=CUSTOMER_ROLE, idempotency_key="k")
    again = await ask(place_order, "/v1/orders", wanting(mug=1), roles=CUSTOMER_ROLE, idempotency_key="k")
    other = await ask(place_order, "/v1/orders", wanting(mug=2), roles=CUSTOMER_ROLE, idempotency_key="k")
    without = await ask(place_order, "/v1/orders", wanting(mug=1), roles=CUSTOMER_ROLE)

    counted = "ratelimit"  # goes down by one with each request, also with one that is repeated
    del first.headers[counted], again.headers[counted]
    assert (first.status, first.body, first.headers) == (again.status, again.body, again.headers)
    assert (other.status, json.loads(other.body)["type"]) == (422, "urn:kn-shop:problem:idempotency-key-reused")
    assert (without.status, json.loads(without.body)["type"]) == (400, "urn:kn-shop:problem:idempotency-key-missing")
    assert await db.value("select count(*) from orders.orders") == 1


async def test_an_order_is_shown_to_its_owner_alone(ask: Ask, run: Run) -> None:
    await sell(run, "mug", 100)
    placed = await ask(place_order, "/v1/orders", wanting(mug=1), roles=CUSTOMER_ROLE, idempotency_key="k")
    path = f"/v1/orders/{json.loads(placed.body)['id']}"

    assert (await ask(get_order, path, roles=CUSTOMER_ROLE)).body == placed.body
    assert (await ask(get_order, path, roles=CUSTOMER_ROLE, subject="somebody-else")).status == 404
    assert (await ask(get_order, path, roles=("operator",), subject="o")).status == 200
    assert (await ask(get_order, path)).status == 401


async def test_my_orders_come_newest_first_in_pages(ask: Ask, run: Run) -> None:
    await sell(run, "mug", 100)
    placed = []
    for number in range(5):
        answer = await ask(place_order, "/v1/orders", wanting(mug=1), roles=CUSTOMER_ROLE, idempotency_key=f"k{number}")
        placed.append(json.loads(answer.body)["id"])
    await ask(place_order, "/v1/orders", wanting(mug=1), roles=CUSTOMER_ROLE, subject="other", idempotency_key="k")
    seen, path = [], "/v1/orders?limit=2"
    while path:
        page = await ask(list_my_orders, path, roles=CUSTOMER_ROLE)
        seen += [item["id"] for item in json.loads(page.body)["items"]]
        path = page.headers["link"].split(">")[0][1:] if "link" in page.headers else ""

    assert seen == placed[::-1]


async def test_what_is_ordered_must_be_counted_in_whole_things(ask: Ask) -> None:
    for quantity in (0, -1, 1.5, "2", 10**9, None, True):
        body = {"lines": [{"sku": "mug", "quantity": quantity}], "payment_token": "t"}
        answer = await ask(place_order, "/v1/orders", body, roles=CUSTOMER_ROLE, idempotency_key="k")
        assert (answer.status, json.loads(answer.body)["errors"][0]["pointer"]) == (422, "/lines/0/quantity")


async def test_what_a_client_knows_of_an_order_is_stale_after_any_move(
    ask: Ask, run: Run, deliver: Callable[..., Awaitable[Answer]]
) -> None:
    await sell(run, "mug", 100)
    placed = await ask(place_order, "/v1/orders", wanting(mug=1), roles=CUSTOMER_ROLE, idempotency_key="k")
    order_id = json.loads(placed.body)["id"]
    path, known = f"/v1/orders/{order_id}", placed.headers["etag"]
    for answer in (
        StockHeld(order_id=order_id, expires_at=NOW),
        PaymentAuthorized(order_id=order_id, command_key=f"{order_id}/authorize", amount_minor=100, currency="GBP"),
    ):
        assert (await ask(get_order, path, roles=CUSTOMER_ROLE, if_none_match=known)).status == 304
        assert (await deliver(advance_order, answer)).status == 204
        shown = await ask(get_order, path, roles=CUSTOMER_ROLE, if_none_match=known)
        assert shown.status == 200
        known = shown.headers["etag"]
    assert json.loads(shown.body)["payment"] == "authorized"
