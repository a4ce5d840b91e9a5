"""What is asked of fulfilment by HTTP: bad input is told, lists are paged, and others' orders are not there."""

import json
from typing import Any

import pytest

from functions.orders.cancel_line import cancel_line
from functions.orders.get_order_fulfilment import get_order_fulfilment
from functions.orders.list_fulfilments import list_fulfilments
from functions.orders.list_refunds import list_refunds
from functions.orders.list_steps import list_steps
from functions.orders.receive_return import receive_return
from functions.orders.refund_order import RefundOrder, refund_order
from functions.orders.request_refund import request_refund
from functions.orders.ship_fulfilment import ship_fulfilment
from tests.conftest import Ask, Books
from tests.functions.orders.shipping import Flow

NOBODY = "00000000-0000-0000-0000-000000000404"
SHIP = f"/v1/admin/fulfilments/{NOBODY}/ship"
REFUND = f"/v1/admin/orders/{NOBODY}/refunds"


@pytest.mark.parametrize(
    ("function", "path", "body"),
    [
        (ship_fulfilment, SHIP, {"carrier": "a\x00b"}),
        (ship_fulfilment, SHIP, {"carrier": ""}),
        (ship_fulfilment, SHIP, {"tracking_url": "javascript:alert(1)"}),
        (ship_fulfilment, SHIP, {"lines": []}),
        (ship_fulfilment, SHIP, {"lines": [{"line_no": 1, "quantity": 0}]}),
        (ship_fulfilment, SHIP, {"lines": [{"line_no": 10**30, "quantity": 1}]}),
        (ship_fulfilment, SHIP, {"lines": [{"line_no": 1, "quantity": 1.5}]}),
        (ship_fulfilment, "/v1/admin/fulfilments/none/ship", {}),
        (refund_order, REFUND, {"reason": "late", "amount_minor": -1}),
        (refund_order, REFUND, {"reason": "late", "amount_minor": 10**40}),
        (refund_order, REFUND, {"reason": "late", "amount_minor": "100"}),
        (refund_order, REFUND, {"reason": " "}),
        (refund_order, REFUND, {"reason": "late\x00", "amount_minor": 1}),
        (refund_order, REFUND, {"reason": "late", "amount_minor": 1, "restock_at": "LON"}),
        (refund_order, REFUND, {"reason": "late", "amount_minor": 1, "status": "succeeded"}),
        (receive_return, f"/v1/admin/goods-returns/{NOBODY}/receipts", {"location": "LON", "lines": [{}]}),
    ],
)
async def test_bad_input_is_told(ask: Ask, function: Any, path: str, body: Any) -> None:
    answer = await ask(function, path, body, roles=("operator",), idempotency_key="k")
    assert answer.status == 422, answer
    assert json.loads(answer.body)["errors"]


async def test_half_a_character_is_no_text(ask: Ask) -> None:
    answer = await ask(ship_fulfilment, SHIP, {"tracking_number": "\ud800"}, roles=("operator",), idempotency_key="k")
    assert answer.status == 400


@pytest.mark.parametrize("line_no", ["0", "-1", "x", str(10**30), "100001"])
async def test_a_line_that_cannot_be_is_told(ask: Ask, line_no: str) -> None:
    path = f"/v1/orders/{NOBODY}/lines/{line_no}/cancel"
    answer = await ask(cancel_line, path, {"reason": "no"}, roles=("customer",), idempotency_key="k")
    assert answer.status in (404, 422), answer


async def test_others_orders_are_not_there(ask: Ask, flow: Flow) -> None:
    order = await flow.ordered(("mug", 1, 100))
    wishes: list[tuple[Any, str, Any]] = [
        (get_order_fulfilment, f"/v1/orders/{order}/fulfilment", None),
        (cancel_line, f"/v1/orders/{order}/lines/1/cancel", {"reason": "no"}),
        (request_refund, f"/v1/orders/{order}/refund-requests", {"reason": "no"}),
    ]
    for function, path, body in wishes:
        headers = {} if body is None else {"idempotency_key": "k"}
        other = await ask(function, path, body, roles=("customer",), subject="mallory", **headers)
        assert other.status == 404
    mine = await ask(get_order_fulfilment, f"/v1/orders/{order}/fulfilment", roles=("customer",))
    assert mine.status == 200


async def test_lists_are_paged_and_filtered(ask: Ask, flow: Flow, db: Books) -> None:
    orders = [await flow.ordered(("mug", 1, 100), ("plate", 1, 100)) for _ in range(3)]
    await db.run("update orders.orders set review = 'odd' where id = %(id)s", id=orders[0])

    async def listed(function: Any, path: str) -> list[Any]:
        found: list[Any] = []
        cursor = ""
        while True:
            answer = await ask(function, f"{path}&limit=2{cursor}", roles=("operator",))
            assert answer.status == 200, answer
            page = json.loads(answer.body)
            found += page["items"]
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    where = "/v1/admin/fulfilments"
    assert len({one["id"] for one in await listed(list_fulfilments, f"{where}?location=LON")}) == 3
    assert len(await listed(list_fulfilments, f"{where}?ready=true")) == 4
    assert len(await listed(list_fulfilments, f"{where}?order_id={orders[1]}")) == 2
    assert await listed(list_fulfilments, f"{where}?status=shipped") == []
    for amount in (1, 2, 3):
        await flow.do(refund_order, RefundOrder(order_id=orders[1], amount_minor=amount, reason="late"))
    assert [one["amount_minor"] for one in await listed(list_refunds, "/v1/admin/refunds?status=succeeded")] == [
        1,
        2,
        3,
    ]
    steps = await listed(list_steps, f"/v1/admin/steps?order_id={orders[1]}")
    assert {(one["kind"], one["state"]) for one in steps} == {("refund", "done")}
    assert await listed(list_steps, "/v1/admin/steps?kind=refund") == []
