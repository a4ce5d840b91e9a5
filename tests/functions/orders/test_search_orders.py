"""Orders are found by what is known of them: one's own by their customer, all by those who look after them."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from functions.orders.list_my_orders import list_my_orders
from functions.orders.search_orders import search_orders
from functions.orders.set_customer import SetCustomer, set_customer
from shared.orders.saga import State
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.orders.desk import OPERATOR, be, made, personal
from tests.functions.orders.sagas import order_at


async def mine(ask: Ask, query: str = "", subject: str = "customer-1") -> list[str]:
    return [item["id"] for item in (await page(ask, f"/v1/orders?{query}", ("customer",), subject))["items"]]


async def found(ask: Ask, query: str) -> list[str]:
    return [item["id"] for item in (await page(ask, f"/v1/admin/orders?{query}", OPERATOR))["items"]]


async def page(ask: Ask, path: str, roles: tuple[str, ...], subject: str = "customer-1") -> Any:
    function = list_my_orders if path.startswith("/v1/orders") else search_orders
    answer = await ask(function, path, roles=roles, subject=subject)
    assert answer.status == 200, answer
    return json.loads(answer.body)


async def test_pages_of_a_search_are_whole_and_in_order(ask: Ask, db: Books) -> None:
    orders = [str(order) for order in reversed(await made(db, 7))]
    for path, roles in (("/v1/orders?sku=mug", ("customer",)), ("/v1/admin/orders?sku=mug&status=confirmed", OPERATOR)):
        seen: list[str] = []
        cursor = ""
        while True:
            one = await page(ask, f"{path}&limit=3{cursor}", roles)
            seen += [item["id"] for item in one["items"]]
            if one["next_cursor"] is None:
                break
            cursor = f"&cursor={one['next_cursor']}"
        assert seen == orders


async def test_customers_find_their_own_by_status_time_sku_and_total(ask: Ask, run: Run, db: Books) -> None:
    rejected, confirmed = await order_at(run, State.REJECTED), await order_at(run, State.COMPLETED)
    await be(db, confirmed, placed_at=NOW, total_minor=5000, subtotal_minor=5000)
    day = quote((NOW - timedelta(hours=1)).isoformat())
    assert await mine(ask) == [str(confirmed), str(rejected)]
    for query, wanted in (
        ("status=rejected", [rejected]),
        ("status=rejected&status=confirmed", [confirmed, rejected]),
        ("status=pending", []),
        ("status=cancelling&status=awaiting_customer", []),
        ("status=completed", []),
        (f"since={day}", [confirmed]),
        (f"until={day}", [rejected]),
        ("sku=mug", [confirmed, rejected]),
        ("sku=tea", []),
        ("min_total_minor=2591", [confirmed]),
        ("max_total_minor=2590", [rejected]),
        ("fulfilment=unfulfilled", [confirmed, rejected]),
        ("fulfilment=shipped", []),
    ):
        assert await mine(ask, query) == [str(order) for order in wanted], query
        assert await mine(ask, query, subject="customer-2") == [], query


@pytest.mark.parametrize("state", State)
async def test_a_status_finds_the_order_wherever_its_saga_stands(ask: Ask, run: Run, db: Books, state: State) -> None:
    order = await order_at(run, state)
    status = await db.value("select status from orders.orders")
    for asked in (f"status={status}", f"status={status}&status=confirmed&status=pending&status=cancelled"):
        assert await found(ask, asked) == [str(order)]
        assert await mine(ask, asked) == [str(order)]


async def test_the_desk_finds_orders_by_all_that_is_known(ask: Ask, run: Run, db: Books) -> None:
    ada = await personal(run, db, customer_id=None, guest=True, tags=["gift", "vip"], review="odd")
    bob = await order_at(run, State.COMPLETED)
    await be(db, bob, customer_id="bob", reference="B/1", country="FR")
    await run(set_customer, SetCustomer(customer_id="bob", email="Bob@example.com"), caller=ADMIN)
    number = await db.value("select number from orders.orders where id = %(id)s", id=ada)
    for query, wanted in (
        (f"number={number}", [ada]),
        (f"number={number.lower()}", [ada]),
        ("number=NONE", []),
        ("email=ADA%40example.com", [ada]),
        ("email=bob%40EXAMPLE.com", [bob]),
        ("email=eve%40example.com", []),
        ("customer_id=bob", [bob]),
        ("reference=B%2F1", [bob]),
        ("country=FR", [bob]),
        ("currency=GBP", [bob, ada]),
        ("tag=vip", [ada]),
        ("tag=vi", []),
        ("review=true", [ada]),
        ("review=false", [bob]),
        ("guest=true", [ada]),
        ("email=ada%40example.com&tag=gift&review=true&status=confirmed&sku=mug&min_total_minor=1", [ada]),
        ("email=ada%40example.com&status=rejected", []),
    ):
        assert await found(ask, query) == [str(order) for order in wanted], query


@pytest.mark.parametrize(
    "query",
    [
        "status=sold",
        "since=yesterday",
        "since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z",
        "min_total_minor=-1",
        "max_total_minor=99999999999999999999",
        "sku=%00",
        "sku=-",
        "cursor=abc",
        "nonsense=1",
        "limit=101",
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(ask: Ask, query: str) -> None:
    for function, path, role in (
        (list_my_orders, "/v1/orders", "customer"),
        (search_orders, "/v1/admin/orders", "admin"),
    ):
        answer = await ask(function, f"{path}?{query}", roles=(role,))
        assert (answer.status, json.loads(answer.body)["type"]) == (422, "urn:kn-shop:problem:validation-failed")


async def test_strange_words_find_nothing(ask: Ask, db: Books) -> None:
    await made(db, 1)
    for query in ("number=%27%3B--", "reference=%25", "email=%25%40%25", "tag=a.b-c_d", f"customer_id={UUID(int=1)}"):
        assert await found(ask, query) == []


async def test_customers_do_not_search_all_orders(ask: Ask) -> None:
    assert (await ask(search_orders, "/v1/admin/orders", roles=("customer",))).status == 403
    assert (await ask(search_orders, "/v1/admin/orders")).status == 401
