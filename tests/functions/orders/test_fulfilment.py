"""Goods leave from where they are, whole or in parts; what cannot says so; an order is complete once all is gone."""

from collections import Counter

import pytest

from functions.inventory.set_stock_level import SetStockLevel, set_stock_level
from functions.orders.cancel_line import CancelLine, cancel_line
from functions.orders.cancel_order import CancelOrder, cancel_order
from functions.orders.deliver_fulfilment import DeliverFulfilment, deliver_fulfilment
from functions.orders.get_order_fulfilment import GetOrderFulfilment, get_order_fulfilment
from functions.orders.short_fulfilment import ShortFulfilment, short_fulfilment
from shared.inventory.events import HoldShipped, ShipHold, ShipmentRefused
from shared.orders.events import OrderCompleted, OrderConfirmed
from shared.orders.fulfilment_events import (
    FulfilmentCancelled,
    FulfilmentCreated,
    FulfilmentDelivered,
    FulfilmentShipped,
)
from shared.orders.fulfilment_problems import FulfilmentHasMoved, NotSoMany, OrderNotReady, UnderReview
from shared.orders.problems import CannotCancel
from shared.payments.events import CapturePayment, RefundPayment
from tests.conftest import CUSTOMER, Books, Run
from tests.functions.orders.shipping import Flow, of, order_row, paid


async def test_an_order_has_a_fulfilment_for_each_location_and_one_for_what_is_not_tracked(flow: Flow) -> None:
    order = await flow.ordered(("mug", 2, 100), ("plate", 1, 200), ("gift", 3, 0), ("mug", 1, 90))

    created = {
        event.location: [(line.line_no, line.quantity) for line in event.lines]
        for event in of(FulfilmentCreated, flow.said)
    }
    assert created == {"LON": [(1, 2), (4, 1)], "LEEDS": [(2, 1)], None: [(3, 3)]}
    assert set(await flow.fulfilments(order)) == {"LON", "LEEDS", None}
    await flow.carry(of(OrderConfirmed, flow.said))
    assert len(of(FulfilmentCreated, flow.said)) == 3, "told again it makes no more"


async def test_a_line_is_split_over_locations(flow: Flow, run: Run, db: Books) -> None:
    await run(
        set_stock_level, SetStockLevel(sku="mug", location="LEEDS", on_hand=10, reason="opening"), caller=CUSTOMER
    )
    order = await flow.ordered(("mug", 8, 100), ("mug", 7, 100))
    rows = await db.all(
        """select f.location, p.line_no, p.quantity from orders.fulfilment_lines p
        join orders.fulfilments f on f.id = p.fulfilment_id where p.order_id = %(order)s""",
        order=order,
    )
    by_line = Counter[int]()
    by_location = Counter[str]()
    for row in rows:
        by_line[row.line_no] += row.quantity
        by_location[row.location] += row.quantity
    assert by_line == {1: 8, 2: 7}
    held = await db.all("select location, quantity from inventory.hold_lines where order_id = %(order)s", order=order)
    assert by_location == {row.location: row.quantity for row in held}
    assert len(held) == 2


async def test_an_order_is_complete_once_all_of_it_has_left(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 2, 100), ("plate", 1, 200), ("gift", 3, 0))
    places = await flow.fulfilments(order)
    view = await flow.ship(places["LON"])
    assert (view.status, view.carrier, view.tracking_number) == ("shipping", "DHL", "JD1")
    assert await order_row(db, order) == ("confirmed", "partial", 0, 0)
    await flow.ship(places["LEEDS"])
    assert of(OrderCompleted, flow.said) == []
    view = await flow.ship(places[None])
    assert view.status == "shipped", "nobody is asked for what is not tracked"

    assert await order_row(db, order) == ("completed", "shipped", 0, 0)
    assert of(OrderCompleted, flow.said) == [OrderCompleted(order_id=order, currency="GBP", total_minor=400)]
    assert await db.value("select sum(shipped_quantity) from orders.order_lines") == 6
    assert await db.value("select status from inventory.holds where order_id = %(order)s", order=order) == "SHIPPED"
    (told,) = [event for event in of(FulfilmentShipped, flow.said) if event.location == "LON"]
    assert (told.carrier, told.tracking_url) == ("DHL", "https://dhl.example/JD1")
    assert [(line.sku, line.quantity) for line in told.lines] == [("mug", 2)]

    for id in places.values():
        await flow.do(deliver_fulfilment, DeliverFulfilment(fulfilment_id=id))
    await flow.do(deliver_fulfilment, DeliverFulfilment(fulfilment_id=places["LON"]))
    assert await order_row(db, order) == ("completed", "delivered", 0, 0)
    assert len(of(FulfilmentDelivered, flow.said)) == 3, "what arrived twice arrived once"


async def test_a_part_leaves_and_the_rest_is_still_to_be_picked(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100), ("pot", 1, 50))
    first = (await flow.fulfilments(order))["LON"]
    await flow.ship(first, {1: 2})
    assert await order_row(db, order) == ("confirmed", "partial", 0, 0)
    view = await flow.do(get_order_fulfilment, GetOrderFulfilment(order_id=order))
    parts = [(one.status, [(line.line_no, line.quantity) for line in one.lines]) for one in view.fulfilments]
    assert sorted(parts) == [("pending", [(1, 1), (2, 1)]), ("shipped", [(1, 2)])]

    rest = next(one.id for one in view.fulfilments if one.status == "pending")
    await flow.ship(rest)
    assert await order_row(db, order) == ("completed", "shipped", 0, 0)


async def test_more_than_is_open_is_not_shipped(flow: Flow) -> None:
    order = await flow.ordered(("mug", 3, 100))
    (id,) = (await flow.fulfilments(order)).values()
    for lines in ({1: 4}, {2: 1}):
        with pytest.raises(NotSoMany):
            await flow.ship(id, lines)
    await flow.ship(id)
    with pytest.raises(FulfilmentHasMoved):
        await flow.ship(id)


async def test_a_shipment_that_inventory_refuses_is_pending_again_and_says_why(flow: Flow, run: Run, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100))
    await run(set_stock_level, SetStockLevel(sku="mug", location="LON", on_hand=1), caller=CUSTOMER)
    (id,) = (await flow.fulfilments(order)).values()
    await flow.ship(id)
    row = await db.one("select status, refused from orders.fulfilments")
    assert tuple(row) == ("pending", "not_on_hand (mug: 2)")
    assert await order_row(db, order) == ("confirmed", "unfulfilled", 0, 0)

    await run(set_stock_level, SetStockLevel(sku="mug", location="LON", on_hand=10), caller=CUSTOMER)
    await flow.ship(id)
    row = await db.one("select status, refused from orders.fulfilments")
    assert tuple(row) == ("shipped", None)


async def test_goods_that_left_after_all_have_left(flow: Flow, run: Run, db: Books) -> None:
    """The command was sent again before the refusal came, and there were goods by then."""
    order = await flow.ordered(("mug", 3, 100))
    await run(set_stock_level, SetStockLevel(sku="mug", location="LON", on_hand=1), caller=CUSTOMER)
    (id,) = (await flow.fulfilments(order)).values()
    await flow.ship(id)
    await run(set_stock_level, SetStockLevel(sku="mug", location="LON", on_hand=10), caller=CUSTOMER)
    await flow.carry(of(ShipHold, flow.said))
    assert await order_row(db, order) == ("completed", "shipped", 0, 0)
    await flow.carry(of(ShipmentRefused, flow.said))
    await flow.carry(of(HoldShipped, flow.said))
    assert await order_row(db, order) == ("completed", "shipped", 0, 0)
    assert len(of(OrderCompleted, flow.said)) == 1


async def test_nothing_leaves_of_an_order_under_review_or_that_is_not_paid(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100))
    (id,) = (await flow.fulfilments(order)).values()
    await db.run("update orders.orders set review = 'odd address'")
    with pytest.raises(UnderReview):
        await flow.ship(id)
    await db.run("update orders.orders set review = null")
    flow.held_up = {RefundPayment}
    await flow.do(cancel_order, CancelOrder(order_id=order, reason="changed my mind"), CUSTOMER)
    with pytest.raises(OrderNotReady):
        await flow.ship(id)
    await flow.let_go()
    assert [event.fulfilment_id for event in of(FulfilmentCancelled, flow.said)] == [id]


async def test_once_a_shipment_is_asked_for_the_order_is_not_cancelled_whole(flow: Flow) -> None:
    order = await flow.ordered(("mug", 3, 100))
    (id,) = (await flow.fulfilments(order)).values()
    flow.held_up = {ShipHold}
    await flow.ship(id)
    with pytest.raises(CannotCancel):
        await flow.do(cancel_order, CancelOrder(order_id=order, reason="changed my mind"), CUSTOMER)
    with pytest.raises(NotSoMany):
        await flow.do(cancel_line, CancelLine(order_id=order, line_no=1, reason="changed my mind"), CUSTOMER)
    with pytest.raises(FulfilmentHasMoved):
        await flow.do(short_fulfilment, ShortFulfilment(fulfilment_id=id, reason="broken"))
    await flow.let_go()


async def test_a_cancelled_order_is_not_arranged_whichever_is_heard_first(flow: Flow, db: Books) -> None:
    flow.held_up = {OrderConfirmed}
    order = await flow.ordered(("mug", 3, 100))
    await flow.do(cancel_order, CancelOrder(order_id=order, reason="changed my mind"), CUSTOMER)
    await flow.let_go()
    assert await db.all("select * from orders.fulfilments") == []
    assert await order_row(db, order) == ("cancelled", "unfulfilled", 0, 0)


async def test_each_shipment_takes_its_share_and_all_together_take_the_total(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 333), ("plate", 1, 100), capture="at_shipment", shipping=50)
    assert await paid(db, order) == (0, 0, 0)
    places = await flow.fulfilments(order)
    await flow.ship(places["LON"], {1: 1})
    assert await paid(db, order) == (333 + 50, 0, 0), "shipping is paid with what leaves first"
    await flow.ship(places["LEEDS"])
    assert await order_row(db, order) == ("confirmed", "partial", 0, 333 + 50 + 100)
    rest = await db.value("select id from orders.fulfilments where status = 'pending'")
    await flow.ship(rest)
    assert await order_row(db, order) == ("completed", "shipped", 0, 999 + 50 + 100)
    assert await paid(db, order) == (999 + 50 + 100, 0, 0)
    keys = [event.command_key for event in of(CapturePayment, flow.said)]
    assert len(set(keys)) == 3
    assert all(key.startswith(f"{order}/capture/") for key in keys)
    assert await db.value("select payment from orders.sagas") == "captured"


async def test_a_line_whose_total_does_not_divide_is_paid_to_the_penny(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100), capture="at_shipment")
    await db.run("update orders.order_lines set discount_minor = 100, total_minor = 200")
    await db.run("update orders.orders set total_minor = 200, subtotal_minor = 300, discount_minor = 100")
    (id,) = (await flow.fulfilments(order)).values()
    taken = []
    for _ in range(3):
        await flow.ship(id, {1: 1})
        taken.append((await paid(db, order))[0])
        id = await db.value("select id from orders.fulfilments order by status = 'pending' desc limit 1")
    assert taken == [66, 133, 200]
    assert await order_row(db, order) == ("completed", "shipped", 0, 200)
