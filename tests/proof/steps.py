"""What may happen to a shop: its events, its clock and its crashes, its buyers, its staff, the provider."""

import json
import random
from typing import Any
from uuid import UUID

from functions.orders.place_order import PlaceOrder
from shared.inventory.events import ExtendHold, PartLine, ShipHold
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

SENDABLE = """
update orders.orders o set fulfilment = 'shipping'
from orders.sagas s
where o.id = %(id)s and s.order_id = o.id and s.state = 'completed' and o.fulfilment = 'unfulfilled'
returning o.id
"""


async def open_shop(shop: Simulation, chance: random.Random) -> None:
    for place in PLACES:
        await shop.ask("create_location", "/v1/locations", {"id": place, "name": place.title()})
    for n, sku in enumerate(SKUS, 1):
        product = {"title": sku.title(), "variants": [{"sku": sku, "price_minor": 500 * n}]}
        await shop.ask("create_product", "/v1/products", product)
        for place in PLACES:
            level = {"on_hand": chance.randint(0, 6), "reason": "recount"}
            await shop.ask("set_stock_level", f"/v1/stock/{sku}/{place}", level)


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
    body: dict[str, Any] = {"lines": lines, "payment_token": chance.choice(CARDS)}
    waits, later = chance.random() < 0.6, chance.random() < 0.2
    told = "on_decline" in PlaceOrder.model_fields
    if told:
        body["on_decline"] = "wait" if waits else "reject"
    known = len(shop.orders)
    await shop.request(chance, "place_order", "/v1/orders", body, "customer", chance.choice(CUSTOMERS))
    if len(shop.orders) > known:
        order = UUID(shop.orders[-1])
        if waits and not told:
            await shop.db.run("update orders.orders set on_decline = 'wait' where id = %(id)s", id=order)
        if later:
            await shop.db.run("update orders.orders set capture = 'at_shipment' where id = %(id)s", id=order)


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


async def send_goods(shop: Simulation, chance: random.Random) -> None:
    """All of an order in one or two parcels."""
    order = await _any_order(shop, chance)
    if order is None or not await shop.db.all(SENDABLE, id=UUID(order)):
        return
    lines = await shop.db.all(
        "select sku, sum(quantity)::int as quantity from orders.order_lines where order_id = %(id)s group by sku "
        "order by sku",
        id=UUID(order),
    )
    first = [PartLine(sku=line.sku, quantity=chance.randint(1, line.quantity)) for line in lines]
    rest = [
        PartLine(sku=line.sku, quantity=line.quantity - part.quantity)
        for line, part in zip(lines, first, strict=True)
        if line.quantity > part.quantity
    ]
    said: list[Event] = [ShipHold(order_id=UUID(order), part_id=UUID(int=1), lines=first)]
    if rest:
        said.append(ShipHold(order_id=UUID(order), part_id=UUID(int=2), lines=rest))
    await _say(shop, *said)


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
    (3, send_goods),
    (1, extend),
    (2, take_back),
    (2, steer),
    (4, letters),
    (1, provider_goes),
    (1, dispute),
)
