"""A guest's order: placed without a token, shown and cancelled by a signed link and by nothing else."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.orders.cancel_guest_order import cancel_guest_order
from functions.orders.get_guest_order import GetGuestOrder, get_guest_order
from functions.orders.get_order import get_order
from functions.orders.pay_guest_order import pay_guest_order
from functions.orders.place_guest_order import GuestOrderView, place_guest_order
from shared.inventory.events import StockHeld
from shared.orders.links import LIVES
from shared.orders.problems import InvalidLink
from shared.orders.wanting import PlaceGuestOrder
from shared.payments.events import PaymentDeclined
from shared.runtime.answers import Answer
from shared.runtime.auth import ANONYMOUS
from tests.conftest import NOW, Ask, Books, Run
from tests.functions.orders.pricing import HOME, buying, discount, sell
from tests.functions.orders.sagas import happens

PATH = "/v1/guest-orders"


def guest(**more: Any) -> dict[str, Any]:
    return buying({"mug": 1}, email="ann@example.com", shipping_address=HOME, **more)


async def place(ask: Ask, key: str = "k", **more: Any) -> Answer:
    return await ask(place_guest_order, PATH, guest(**more), idempotency_key=key)


async def test_a_guest_is_given_a_link_to_the_order(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1295)
    made = await place(ask)
    order = json.loads(made.body)
    token = order.pop("link_token")
    assert made.status == 201
    assert (order["guest"], order["customer_id"], order["email"]) == (True, None, "ann@example.com")
    assert order.pop("link_expires_at")

    shown = await ask(get_guest_order, f"{PATH}/{token}")
    assert (shown.status, json.loads(shown.body)) == (200, order)
    assert (await ask(get_order, f"/v1/orders/{order['id']}", roles=("customer",))).status == 404
    assert (await ask(get_order, f"/v1/orders/{order['id']}", roles=("admin",))).status == 200
    assert (await place(ask)).body == made.body
    assert await db.value("select count(*) from orders.orders") == 1


async def test_a_guest_says_who_and_where(ask: Ask) -> None:
    for name in ("email", "shipping_address"):
        body = {field: value for field, value in guest().items() if field != name}
        answer = await ask(place_guest_order, PATH, body, idempotency_key="k")
        assert (answer.status, json.loads(answer.body)["errors"][0]["pointer"]) == (422, f"/{name}")
    for email in ("ann", "a b@c.d", "@", "a@\u0000b", "x" * 300 + "@y.z"):
        answer = await ask(place_guest_order, PATH, guest() | {"email": email}, idempotency_key="k")
        assert answer.status == 422, email
    assert (await ask(place_guest_order, PATH, guest())).status == 400


async def test_no_link_can_be_made_up(ask: Ask, run: Run) -> None:
    await sell(run, "mug", 1295)
    token = json.loads((await place(ask)).body)["link_token"]
    other = json.loads((await place(ask, "k2")).body)["link_token"]
    raw = urlsafe_b64decode(token + "==")

    def written(content: bytes) -> str:
        return urlsafe_b64encode(content).decode().rstrip("=")

    assert written(raw) == token
    forged = [written(raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :]) for n in range(len(raw))]
    swapped = written(raw[:8] + urlsafe_b64decode(other + "==")[8:24] + raw[24:])
    for wrong in (*forged, swapped, token[:-1], token + "A", token + "=", "x", "%ff", "%00", "ä", "A" * 200):
        answer = await ask(get_guest_order, f"{PATH}/{wrong}")
        assert answer.status in (404, 422), wrong
    assert (await ask(get_guest_order, f"{PATH}/{'A' * 201}")).status == 422
    assert (await ask(get_guest_order, f"{PATH}/{token}")).status == 200


async def test_a_link_is_over_at_its_time_and_with_its_key(run: Run, ask: Ask, db: Books) -> None:
    await sell(run, "mug", 1295)
    body = PlaceGuestOrder.model_validate(guest())
    view, _ = await run(place_guest_order, body, caller=ANONYMOUS, now=NOW)
    assert isinstance(view, GuestOrderView)
    assert view.link_expires_at == NOW + LIVES
    link = GetGuestOrder(token=view.link_token)
    await run(get_guest_order, link, caller=ANONYMOUS, now=NOW + LIVES - timedelta(seconds=1))
    with pytest.raises(InvalidLink):
        await run(get_guest_order, link, caller=ANONYMOUS, now=NOW + LIVES)

    await db.run("insert into orders.link_keys (secret) values (sha256('another'))")
    await run(get_guest_order, link, caller=ANONYMOUS, now=NOW)
    newer, _ = await run(place_guest_order, body, caller=ANONYMOUS, now=NOW)
    await db.run("delete from orders.link_keys where id = (select min(id) from orders.link_keys)")
    with pytest.raises(InvalidLink):
        await run(get_guest_order, link, caller=ANONYMOUS, now=NOW)
    await run(get_guest_order, GetGuestOrder(token=newer.link_token), caller=ANONYMOUS, now=NOW)


async def test_a_guest_cancels_by_the_link(ask: Ask, run: Run) -> None:
    await sell(run, "mug", 1295)
    token = json.loads((await place(ask)).body)["link_token"]
    cancelled = {"reason": "changed my mind"}
    first = await ask(cancel_guest_order, f"{PATH}/{token}/cancel", cancelled, idempotency_key="c")
    again = await ask(cancel_guest_order, f"{PATH}/{token}/cancel", cancelled, idempotency_key="c2")
    forged = await ask(cancel_guest_order, f"{PATH}/{token[:-2]}AA/cancel", cancelled, idempotency_key="c3")
    assert (first.status, json.loads(first.body)["status"]) == (202, "cancelling")
    assert (again.status, forged.status) == (409, 404)


async def test_a_guests_uses_of_a_discount_are_counted_by_the_address_of_mail_unseen(
    ask: Ask, run: Run, db: Books
) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "ONCE", percent_ppm=100_000, most_per_customer=1)
    assert (await place(ask, "1", discount_codes=["ONCE"])).status == 201
    assert (await place(ask, "2", discount_codes=["ONCE"])).status == 422
    body = guest(discount_codes=["ONCE"])
    shouted = await ask(place_guest_order, PATH, body | {"email": "ANN@example.com"}, idempotency_key="3")
    other = await ask(place_guest_order, PATH, body | {"email": "bob@example.com"}, idempotency_key="4")
    assert (shouted.status, other.status) == (422, 201)
    kept = str(await db.all("select customer from orders.discount_uses"))
    assert "guest:" in kept
    assert "example" not in kept


async def test_a_guest_pays_with_another_card_by_the_link(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1295)
    order = json.loads((await place(ask)).body)
    path, card = f"{PATH}/{order['link_token']}/pay", {"payment_token": "tok_other"}
    assert (await ask(pay_guest_order, path, card, idempotency_key="p")).status == 409
    await happens(run, UUID(order["id"]), StockHeld)
    await happens(run, UUID(order["id"]), PaymentDeclined)
    assert await db.value("select status from orders.orders") == "awaiting_customer"

    forged = await ask(pay_guest_order, f"{PATH}/{order['link_token'][:-2]}AA/pay", card, idempotency_key="p")
    paid = await ask(pay_guest_order, path, card, idempotency_key="p2")
    assert (forged.status, paid.status) == (404, 202)
    assert await db.value("select payment_token from orders.orders") == "tok_other"
