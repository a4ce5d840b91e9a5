"""What may happen to a shop: its events, its clock and its crashes, its buyers, its staff, the provider."""

import json
import random
from typing import Any
from uuid import UUID

from shared.inventory.events import ExtendHold
from shared.runtime import Event, outbox
from shared.runtime.work import Cause
from tests.proof.simulation import TIMERS, Simulation, Step

SKUS = ("cup", "mug", "pot")
PLACES = ("LEEDS", "LON")
CUSTOMERS = ("bea", "cleo", "dan")

CARDS = (
    *("tok_approve",) * 6,
    "tok_3ds",
    "tok_3ds",
    "tok_capture_fails",
    "tok_decline",
    "tok_dispute",
    "tok_error_after_charge",
    "tok_insufficient_funds",
    "tok_seq:action,capture_fails",
    "tok_seq:approve,approve,error_after_charge,error",
    "tok_seq:approve,capture_fails,capture_fails,error",
    "tok_seq:approve,timeout_after_charge,timeout",
    "tok_seq:decline,decline,approve",
    "tok_seq:error,approve,capture_fails",
    "tok_seq:timeout,action",
    "tok_seq:webhook_late,webhook_early,webhook_twice",
    "tok_timeout_after_charge",
    "tok_webhook_early",
    "tok_webhook_late",
    "tok_webhook_twice",
)

DISCOUNTS: dict[str, dict[str, Any]] = {
    "SPRING": {"percent_ppm": 70_000, "most_uses": 3},
    "MUG-OFF": {"scope": "line", "skus": ["mug"], "amount_minor": 333, "currency": "GBP", "most_per_customer": 1},
}
SHIPPING = {"post": 399, "pick-up": 0}
TO = {"lines": ["1 High Street"], "city": "Leeds", "country": "GB"}


async def open_shop(shop: Simulation, chance: random.Random) -> None:
    for place in PLACES:
        await shop.ask("create_location", "/v1/locations", {"id": place, "name": place.title()})
    for n, sku in enumerate(SKUS, 1):
        product = {"title": sku.title(), "variants": [{"sku": sku, "price_minor": 500 * n}]}
        await shop.ask("create_product", "/v1/products", product)
        for place in PLACES:
            level = {"on_hand": chance.randint(0, 6), "reason": "recount"}
            await shop.ask("set_stock_level", f"/v1/stock/{sku}/{place}", level)
    terms: dict[str, Any] = {"prices_include_tax": chance.random() < 0.5, "home_country": "GB"}
    terms["capture"] = chance.choice(("now", "now", "at_shipment"))
    await shop.ask("set_pricing_terms", "/v1/admin/pricing-terms", terms)
    await shop.ask("set_tax_rate", "/v1/admin/tax-rates/GB/standard", {"rate_ppm": 175_000, "name": "VAT"})
    for way, price in SHIPPING.items():
        bands = [{"up_to": None, "price_minor": price}]
        method = {"name": way.title(), "basis": "value", "currency": "GBP", "bands": bands}
        await shop.ask("set_shipping_method", f"/v1/admin/shipping-methods/{way}", method)
    for code, discount in DISCOUNTS.items():
        await shop.ask("set_discount", f"/v1/admin/discounts/{code}", {"name": code.title()} | discount)


# Events, time, crashes


async def deliver(shop: Simulation, chance: random.Random) -> None:
    """Any of what waits, with others for the same function, and with some that it has had already."""
    if not shop.waiting:
        return
    consumer, _ = shop.waiting[int(chance.random() * len(shop.waiting))]
    mine = [delivery for delivery in shop.waiting if delivery[0] == consumer]
    chance.shuffle(mine)
    taken = mine[: chance.choice((1, 1, 2, 4, 8))]
    shop.waiting = [delivery for delivery in shop.waiting if delivery not in taken]
    had = [delivery for delivery in shop.delivered if delivery[0] == consumer]
    again = [delivery for delivery in (*taken, *had[-20:]) if chance.random() < 0.1]
    await shop.hand_over([*taken, *again], chance)


async def redeliver(shop: Simulation, chance: random.Random) -> None:
    """A window of the log once more, in its order."""
    if not shop.delivered:
        return
    consumer, _ = shop.delivered[int(chance.random() * len(shop.delivered))]
    window = [delivery for delivery in shop.delivered if delivery[0] == consumer][-chance.randint(1, 12) :]
    for delivery in window:
        await shop.hand_over([delivery], chance)


async def tick(shop: Simulation, chance: random.Random) -> None:
    await shop.run_timer(chance.choice((*TIMERS, "drive_sagas", "expire_holds", "resolve_unknown_payments")), chance)


async def time_goes_by(shop: Simulation, chance: random.Random) -> None:
    shop.advance(chance.choice((1, 5, 16, 31, 61, 300, 601, 901, 1500)))


# Buyers


async def place(shop: Simulation, chance: random.Random) -> None:
    lines = [{"sku": sku, "quantity": chance.randint(1, 3)} for sku in chance.sample(SKUS, chance.randint(1, 3))]
    body: dict[str, Any] = {
        "lines": lines,
        "payment_token": chance.choice(CARDS),
        "on_decline": "wait" if chance.random() < 0.6 else "reject",
        "shipping_method": chance.choice(sorted(SHIPPING)),
        "shipping_address": TO,
    }
    if chance.random() < 0.4:
        body["discount_codes"] = chance.sample(sorted(DISCOUNTS), chance.randint(1, 2))
    await shop.request(chance, "place_order", "/v1/orders", body, "customer", chance.choice(CUSTOMERS))


async def _any_order(shop: Simulation, chance: random.Random) -> str | None:
    return shop.orders[int(chance.random() * len(shop.orders))] if shop.orders else None


async def _customer(shop: Simulation, order: str) -> str:
    return str(await shop.db.value("select customer_id from orders.orders where id = %(id)s", id=UUID(order)))


async def cancel(shop: Simulation, chance: random.Random) -> None:
    if (order := await _any_order(shop, chance)) is not None:
        role, subject = chance.choice((("customer", await _customer(shop, order)), ("operator", "olga")))
        body = {"reason": "changed my mind"}
        await shop.request(chance, "cancel_order", f"/v1/orders/{order}/cancel", body, role, subject)


async def pay_again(shop: Simulation, chance: random.Random) -> None:
    """Whoever waits for its customer gets another card, and sometimes one that does not."""
    waits = [
        str(row.id)
        for row in await shop.db.all(
            "select id from orders.orders where status = 'awaiting_customer' order by created_at, id"
        )
    ]
    order = chance.choice(waits) if waits else await _any_order(shop, chance)
    if order is not None:
        body = {"payment_token": chance.choice(CARDS)}
        customer = await _customer(shop, order)
        await shop.request(chance, "pay_order", f"/v1/orders/{order}/pay", body, "customer", customer)


async def decide(shop: Simulation, chance: random.Random) -> None:
    """A customer does at the bank what was asked for, or does not."""
    pending = [row["id"] for row in shop.bank.all("select id from actions where state = 'pending' order by id")]
    if pending:
        action, decision = chance.choice(pending), chance.choice(("complete", "complete", "fail"))
        shop.note(f"  {decision} {action}: {await shop.bank.decide(action, decision)}")


async def ask_again(shop: Simulation, chance: random.Random) -> None:
    """The same request under the same key: nothing is done twice, and the answer is the same."""
    if shop.asked:
        await shop.repeat(list(shop.asked.values())[int(chance.random() * len(shop.asked))])


# Staff


async def adjust(shop: Simulation, chance: random.Random) -> None:
    sku, at = chance.choice(SKUS), chance.choice(PLACES)
    if chance.random() < 0.5:
        body = {"delta": chance.choice((-2, -1, 1, 2, 5)), "reason": chance.choice(("damaged", "received", "found"))}
        await shop.request(chance, "adjust_stock", f"/v1/stock/{sku}/{at}/adjustments", body)
    else:
        body = {"on_hand": chance.randint(0, 6), "reason": "recount"}
        await shop.request(chance, "set_stock_level", f"/v1/stock/{sku}/{at}", body)


async def transfer(shop: Simulation, chance: random.Random) -> None:
    origin, destination = chance.sample(PLACES, 2)
    lines = [{"sku": sku, "quantity": chance.randint(1, 3)} for sku in chance.sample(SKUS, chance.randint(1, 2))]
    body = {"origin": origin, "destination": destination, "lines": lines}
    await shop.request(chance, "create_transfer", "/v1/transfers", body)


async def end_transfer(shop: Simulation, chance: random.Random) -> None:
    rows = await shop.db.all("select id from inventory.transfers where status = 'in_transit' order by created_at, id")
    if rows:
        id = chance.choice(rows).id
        name, path = chance.choice((("receive_transfer", "arrivals"), ("cancel_transfer", "cancellation")))
        await shop.request(chance, name, f"/v1/transfers/{id}/{path}", {})


async def close_or_open(shop: Simulation, chance: random.Random) -> None:
    here, there = chance.sample(PLACES, 2)
    if chance.random() < 0.4:
        body = {"move_to": there} if chance.random() < 0.7 else {}
        await shop.request(chance, "close_location", f"/v1/locations/{here}/closure", body)
    else:
        await shop.request(chance, "open_location", f"/v1/locations/{here}/opening", {})


async def change_rules(shop: Simulation, chance: random.Random) -> None:
    sku, at = chance.choice(SKUS), chance.choice(PLACES)
    body = {"backorder_limit": chance.randint(0, 2), "safety_stock": chance.randint(0, 1)}
    await shop.request(chance, "set_level_policy", f"/v1/stock/{sku}/{at}/policy", body)


async def _one(shop: Simulation, chance: random.Random, select: str, **values: Any) -> Any:
    """Of at most ten that there are."""
    rows = await shop.db.all(f"{select} limit 10", **values)
    return chance.choice(rows) if rows else None


async def _sold(shop: Simulation, chance: random.Random) -> str | None:
    """Mostly one that was confirmed."""
    sold = "select id from orders.orders where status in ('confirmed', 'completed') order by created_at desc, id"
    row = await _one(shop, chance, sold)
    return str(row.id) if row is not None and chance.random() < 0.9 else await _any_order(shop, chance)


async def ship(shop: Simulation, chance: random.Random) -> None:
    """A fulfilment leaves, all of it or some units of a line; or the shelf has less than was thought."""
    one = await _one(shop, chance, "select id from orders.fulfilments where status = 'pending' order by created_at, id")
    if one is None:
        return
    units = "select line_no, quantity from orders.fulfilment_lines where fulfilment_id = %(id)s and quantity > 0"
    line = await _one(shop, chance, f"{units} order by line_no", id=one.id)
    body: dict[str, Any] = {}
    if chance.random() < 0.4:
        body["lines"] = [{"line_no": line.line_no, "quantity": chance.randint(1, line.quantity)}]
    if chance.random() < 0.8:
        body |= {"carrier": "DHL", "tracking_number": "JD0002"}
        await shop.request(chance, "ship_fulfilment", f"/v1/admin/fulfilments/{one.id}/ship", body)
    else:
        body["reason"] = "broken on the shelf"
        await shop.request(chance, "short_fulfilment", f"/v1/admin/fulfilments/{one.id}/short", body)


async def deliver_goods(shop: Simulation, chance: random.Random) -> None:
    gone = "select id from orders.fulfilments where status in ('shipped', 'pending') order by created_at, id"
    if (one := await _one(shop, chance, gone)) is not None:
        await shop.request(chance, "deliver_fulfilment", f"/v1/admin/fulfilments/{one.id}/deliver", {})


async def cancel_line(shop: Simulation, chance: random.Random) -> None:
    if (order := await _sold(shop, chance)) is not None:
        body = {"reason": "one too many"} | ({"quantity": chance.randint(1, 2)} if chance.random() < 0.6 else {})
        path = f"/v1/orders/{order}/lines/{chance.randint(1, 3)}/cancel"
        await shop.request(chance, "cancel_line", path, body, "customer", await _customer(shop, order))


async def ask_for_money(shop: Simulation, chance: random.Random) -> None:
    if (order := await _sold(shop, chance)) is not None:
        body: dict[str, Any] = {"reason": "arrived broken"}
        if chance.random() < 0.5:
            body["lines"] = [{"line_no": chance.randint(1, 2), "quantity": 1}]
        if chance.random() < 0.5:
            body["amount_minor"] = chance.choice((1, 250, 900))
        path = f"/v1/orders/{order}/refund-requests"
        await shop.request(chance, "request_refund", path, body, "customer", await _customer(shop, order))


async def answer_for_money(shop: Simulation, chance: random.Random) -> None:
    one = await _one(
        shop, chance, "select id from orders.refund_requests order by status <> 'requested', created_at, id"
    )
    if one is not None and chance.random() < 0.8:
        await shop.request(chance, "grant_refund", f"/v1/admin/refund-requests/{one.id}/grant", {})
    elif one is not None:
        await shop.request(chance, "deny_refund", f"/v1/admin/refund-requests/{one.id}/deny", {"answer": "was used"})


async def pay_back(shop: Simulation, chance: random.Random) -> None:
    """Out of goodwill, or once more what the provider has refused."""
    failed = await _one(shop, chance, "select id from orders.refunds where status = 'failed' order by created_at, id")
    if failed is not None and chance.random() < 0.7:
        await shop.request(chance, "retry_refund", f"/v1/admin/refunds/{failed.id}/retry", {"reason": "another card"})
    elif (order := await _sold(shop, chance)) is not None:
        body = {"amount_minor": chance.choice((1, 333, 700)), "reason": "came late"}
        await shop.request(chance, "refund_order", f"/v1/admin/orders/{order}/refunds", body)


async def expect_goods(shop: Simulation, chance: random.Random) -> None:
    if (order := await _sold(shop, chance)) is not None:
        body = {
            "lines": [{"line_no": 1, "quantity": chance.randint(1, 2)}],
            "refund": chance.choice(("before", "on_receipt", "none")),
            "reason": "does not fit",
        }
        await shop.request(chance, "authorize_return", f"/v1/admin/orders/{order}/returns", body)


async def receive_goods(shop: Simulation, chance: random.Random) -> None:
    one = await _one(shop, chance, "select id from orders.goods_returns order by created_at, id")
    if one is not None and chance.random() < 0.8:
        line = {"line_no": 1, "quantity": 1, "condition": chance.choice(("restock", "damaged"))}
        body = {"location": chance.choice(PLACES), "lines": [line]}
        await shop.request(chance, "receive_return", f"/v1/admin/goods-returns/{one.id}/receipts", body)
    elif one is not None:
        await shop.request(chance, "close_return", f"/v1/admin/goods-returns/{one.id}/close", {"reason": "never came"})


async def see_to_a_step(shop: Simulation, chance: random.Random) -> None:
    one = await _one(
        shop, chance, "select id from orders.steps where state = 'needs_attention' order by created_at, id"
    )
    if one is None:
        return
    name, path = chance.choice((("retry_step", "retry"), ("retry_step", "retry"), ("give_up_step", "give-up")))
    await shop.request(chance, name, f"/v1/admin/steps/{one.id}/{path}", {"reason": "seen to"}, "operator", "olga")


async def review(shop: Simulation, chance: random.Random) -> None:
    """Held back, let go, or completed by hand."""
    if (order := await _sold(shop, chance)) is not None:
        name, path = chance.choice(
            (
                ("review_order", "review"),
                ("release_order", "review/release"),
                ("release_order", "review/release"),
                ("complete_order", "complete"),
            )
        )
        path = f"/v1/admin/orders/{order}/{path}"
        await shop.request(chance, name, path, {"reason": "looks odd"}, "operator", "olga")


async def extend(shop: Simulation, chance: random.Random) -> None:
    """A buyer takes longer than most: asked for once there is a hold, as all who ask for it do."""
    rows = await shop.db.all("select order_id from inventory.holds order by created_at, order_id")
    if rows:
        seconds = chance.choice((1, 60, 1000))
        await _say(shop, ExtendHold(order_id=chance.choice(rows).order_id, expires_in_s=seconds))


async def take_back(shop: Simulation, chance: random.Random) -> None:
    body = {
        "customer_id": chance.choice(CUSTOMERS),
        "sku": chance.choice(SKUS),
        "quantity": chance.randint(1, 2),
        "unit_price_minor": chance.choice((0, 200, 500, 2000)),
        "returned_at": shop.clock.now.isoformat(),
        "reason": "broken",
    }
    await shop.request(chance, "return_goods", "/v1/admin/returns", body)


async def steer(shop: Simulation, chance: random.Random) -> None:
    """An operator leads a saga on: one that is stuck, or any."""
    rows = await shop.db.all(
        "select order_id, state from orders.sagas order by state <> 'needs_attention', updated_at, order_id limit 5"
    )
    if not rows:
        return
    row = chance.choice((rows[0], *rows))
    verb = chance.choice(("retry", "retry", "compensate", "skip"))
    name = {"retry": "retry_saga", "compensate": "compensate_saga", "skip": "skip_saga_step"}[verb]
    body = {"state": row.state, "reason": "seen to"}
    await shop.request(chance, name, f"/v1/admin/sagas/{row.order_id}/{verb}", body, "operator", "olga")


# The provider


async def letters(shop: Simulation, chance: random.Random) -> None:
    await shop.post_letters(chance)


async def provider_goes(shop: Simulation, chance: random.Random) -> None:
    """Away for a while, or back."""
    shop.bank.away = not shop.bank.away and chance.random() < 0.5
    shop.note(f"  the provider is {'away' if shop.bank.away else 'there'}")


async def dispute(shop: Simulation, chance: random.Random) -> None:
    """A customer's bank takes money back, or says who was right."""
    disputes = [row["id"] for row in shop.bank.all("select id from disputes where outcome is null order by id")]
    if disputes:
        outcome = chance.choice(("won", "lost"))
        shop.note(f"  dispute {outcome}: {await shop.bank.close_dispute(chance.choice(disputes), outcome)}")
        return
    taken = shop.bank.all("select id from authorizations where captured_minor > refunded_minor order by rowid")
    if taken and chance.random() < 0.3:
        shop.note(f"  disputed: {await shop.bank.dispute(chance.choice(taken)['id'])}")


async def _say(shop: Simulation, *commands: Event) -> None:
    """What the orders' side asks for, in words that are not behind an endpoint of its own."""
    source = "/shop/orders/send-goods"
    async with shop.orders_side.transaction("") as db:
        outbox.leave(db, source, commands, [Cause("goods")] * len(commands))
    shop.note(f"  asked for {json.dumps([command.model_dump(mode='json') for command in commands])}")


STEPS: tuple[tuple[int, Step], ...] = (
    (42, deliver),
    (3, redeliver),
    (10, tick),
    (4, time_goes_by),
    (8, place),
    (4, cancel),
    (4, pay_again),
    (4, decide),
    (2, ask_again),
    (3, adjust),
    (1, transfer),
    (1, end_transfer),
    (1, close_or_open),
    (1, change_rules),
    (5, ship),
    (1, deliver_goods),
    (2, cancel_line),
    (1, ask_for_money),
    (1, answer_for_money),
    (1, pay_back),
    (1, expect_goods),
    (1, receive_goods),
    (1, see_to_a_step),
    (1, review),
    (1, extend),
    (2, take_back),
    (2, steer),
    (4, letters),
    (1, provider_goes),
    (1, dispute),
)
