"""What customers and the shop's people live through, from the basket to the return."""

import asyncio
from uuid import uuid4

from tests.processes import Api, has_ended, until


async def test_who_waits_is_told_the_end(api: Api) -> None:
    sku = await api.stocked(1)
    body = {"lines": [{"sku": sku, "quantity": 1}], "payment_token": "tok_approve"}
    key = str(uuid4())
    waited = await api.ask("POST", "/v1/orders", body, role="customer", prefer="wait=10", idempotency_key=key)
    assert (waited.status, waited.body["status"], waited.body["payment"]) == (201, "confirmed", "captured")
    assert waited.headers["preference-applied"] == "wait=10"

    again = await api.ask("POST", "/v1/orders", body, role="customer", prefer="wait=10", idempotency_key=key)
    assert (again.status, again.body) == (201, waited.body), "the same order, read afresh"
    stored = await api.ask("POST", "/v1/orders", body, role="customer", idempotency_key=key)
    assert stored.body["status"] == "pending", "without the preference: the first answer as it was"

    late = await api.ask("POST", "/v1/orders", body, role="customer", prefer="respond-async, wait=10")
    assert (late.body["status"], late.body["reason"]) == ("rejected", "out_of_stock")


async def test_a_wait_that_is_too_short_ends_with_what_is(api: Api) -> None:
    sku = await api.stocked(1)
    order = await api.place(sku, card="tok_timeout_after_charge", prefer="wait=1")
    assert order["status"] == "pending"
    assert (await api.ended(order["id"]))["status"] == "confirmed"


async def test_a_story_is_told_in_its_order(api: Api) -> None:
    order = await api.place(await api.stocked(1), subject="ann", prefer="wait=10")
    path = f"/v1/orders/{order['id']}/timeline"
    story = (await api.ask("GET", path, role="customer", subject="ann")).body["items"]

    assert [told["what"] for told in story if told["kind"] == "move"] == [
        "holding",
        "authorizing",
        "committing",
        "capturing",
        "completed",
    ]
    events = [told["what"].removeprefix("shop.") for told in story if told["kind"] == "event"]
    assert sorted(event for event in events if "fulfilment" not in event) == sorted(
        [
            "orders.order.created.v1",
            "inventory.hold.v1",
            "inventory.hold.held.v1",
            "payments.authorize.v1",
            "payments.payment.authorized.v1",
            "inventory.commit.v1",
            "inventory.hold.committed.v1",
            "payments.capture.v1",
            "orders.order.confirmed.v1",
            "payments.payment.captured.v1",
        ]
    ), "what is arranged to be shipped comes later"
    assert "tok_approve" not in str(story)
    assert (await api.ask("GET", path, role="customer", subject="ben")).status == 404


async def test_an_order_agreed_elsewhere_is_sold_and_partly_comes_back(api: Api) -> None:
    sku, customer = await api.stocked(5), uuid4().hex
    body = {
        "reference": "536365",
        "customer_id": customer,
        "placed_at": "2010-12-01T08:26:00+00:00",
        "currency": "GBP",
        "lines": [{"sku": sku, "title": "Lantern", "quantity": 2, "unit_price_minor": 339}] * 2,
        "payment_token": "tok_approve",
    }
    order = (await api.ask("POST", "/v1/admin/orders", body, prefer="wait=10")).body
    assert (order["status"], order["payment"], order["total_minor"]) == ("confirmed", "captured", 4 * 339)

    back = {
        "customer_id": customer,
        "sku": sku,
        "quantity": 5,
        "unit_price_minor": 339,
        "returned_at": "2010-12-09T14:01:00+00:00",
        "reason": "C536379",
    }
    returned = (await api.ask("POST", "/v1/admin/returns", back)).body
    assert [(match["line_no"], match["quantity"]) for match in returned["matched"]] == [(1, 2), (2, 2)]
    assert (returned["unmatched_quantity"], returned["unmatched_amount_minor"]) == (1, 339)

    async def refunded() -> bool:
        return bool((await api.charged(order["id"]))["refunded"] == 4 * 339)

    await until(refunded)
    await api.at_rest()
    assert (await api.order(order["id"]))["refunded_minor"] == 4 * 339


async def test_an_order_is_cancelled_at_any_moment(api: Api) -> None:
    """Each one after another number of moves; whoever wins, no money and no stock is left behind."""
    sku = await api.stocked(40)
    cards = ("tok_approve", "tok_slow", "tok_error_after_charge", "tok_capture_fails")

    async def cancelled_after(moves: int, card: str) -> tuple[int, str, str]:
        order = await api.place(sku, card=card, subject="ann")
        path = f"/v1/orders/{order['id']}"

        async def moved() -> bool:
            if has_ended(await api.order(order["id"])):
                return True
            story = (await api.ask("GET", f"{path}/timeline")).body["items"]
            return len([told for told in story if told["kind"] == "move"]) >= moves

        async def settled() -> bool:
            return bool((await api.order(order["id"]))["status"] != "cancelling")

        await until(moved)
        reply = await api.ask("POST", f"{path}/cancel", {"reason": "too late?"}, role="customer", subject="ann")
        await until(settled)
        booked = await api.charged(order["id"])
        assert booked["authorized"] == booked["voided"] + booked["captured"]
        assert booked["captured"] == booked["refunded"]
        return reply.status, (await api.order(order["id"]))["status"], card

    ends = await asyncio.gather(*(cancelled_after(moves, card) for moves in range(1, 6) for card in cards))

    for status, end, card in ends:
        assert end == "cancelled"
        assert status == 202 or card == "tok_capture_fails", "it was on its way back already"
    await api.at_rest()
    stock = await api.stock(sku)
    assert (stock["held"], stock["committed"], stock["available"]) == (0, 0, 40)


async def test_two_hundred_buyers_for_a_hundred_units(api: Api) -> None:
    sku = await api.stocked(100)
    slots = asyncio.Semaphore(16)

    async def buy(number: int) -> str:
        async with slots:
            order = await api.place(sku, subject=f"buyer-{number % 20}", prefer="wait=10")
        return str((await api.ended(order["id"]))["status"])

    ends = await asyncio.gather(*(buy(number) for number in range(200)))

    assert (ends.count("confirmed"), ends.count("rejected")) == (100, 100)
    stock = await api.stock(sku)
    assert (stock["on_hand"], stock["held"], stock["committed"], stock["available"]) == (100, 0, 100, 0)
    await api.at_rest()
