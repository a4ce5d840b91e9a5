"""Money goes back once, and never more of it than came; goods come back to where they may be sold again."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from functions.orders.authorize_return import AuthorizeReturn, authorize_return
from functions.orders.cancel_order import CancelOrder, cancel_order
from functions.orders.close_return import CloseReturn, close_return
from functions.orders.deny_refund import DenyRefund, deny_refund
from functions.orders.grant_refund import GrantRefund, grant_refund
from functions.orders.list_goods_returns import ListGoodsReturns, list_goods_returns
from functions.orders.list_refund_requests import ListRefundRequests, list_refund_requests
from functions.orders.list_refunds import ListRefunds, list_refunds
from functions.orders.receive_return import ReceiveReturn, receive_return
from functions.orders.refund_order import RefundOrder, refund_order
from functions.orders.request_refund import RequestRefund, request_refund
from functions.orders.retry_refund import RetryRefund, retry_refund
from functions.orders.retry_step import RetryStep, retry_step
from functions.orders.return_goods import ReturnGoods, return_goods
from functions.orders.settle_steps import settle_steps
from shared.inventory.events import GoodsRestocked, RestockGoods
from shared.orders.fulfilment_events import FulfilmentReturned
from shared.orders.fulfilment_problems import (
    AlreadyDecided,
    MoreThanPaid,
    NotFailed,
    NotSoMany,
    OrderNotReady,
    RefundRequestOpen,
    ReturnClosed,
)
from shared.orders.problems import UnknownOrder
from shared.payments.events import RefundFailed, RefundPayment, RefundSucceeded
from shared.runtime.auth import Caller
from shared.runtime.problems import ValidationFailed
from tests.conftest import ADMIN, CUSTOMER, NOW, Ask, Books
from tests.functions.orders.shipping import Flow, of, order_row, paid, units


async def sent(flow: Flow, *lines: tuple[str, int, int], **how: Any) -> UUID:
    """An order of which all has left."""
    order = await flow.ordered(*lines, **how)
    for id in (await flow.fulfilments(order)).values():
        await flow.ship(id)
    return order


async def on_hand(db: Books, sku: str, location: str = "LON") -> int:
    return int(
        await db.value(
            "select on_hand from inventory.stock where sku = %(sku)s and location = %(location)s",
            sku=sku,
            location=location,
        )
    )


async def wanted(flow: Flow, order: UUID, caller: Caller = CUSTOMER, **what: Any) -> Any:
    request = RequestRefund.model_validate({"order_id": order, "reason": "broken", **what})
    return await flow.do(request_refund, request, caller)


async def given(flow: Flow, order: UUID, **what: Any) -> Any:
    request = RefundOrder.model_validate({"order_id": order, "reason": "came late", **what})
    return await flow.do(refund_order, request)


async def test_a_customer_asks_and_all_of_it_is_granted_with_the_goods_on_the_shelf_again(
    flow: Flow, db: Books
) -> None:
    order = await sent(flow, ("mug", 3, 100), ("plate", 1, 50))
    asked = await wanted(flow, order, lines=units({1: 2}))
    assert (asked.status, asked.amount_minor) == ("open", 200)
    (listed,) = (await flow.run(list_refund_requests, ListRefundRequests(), caller=ADMIN))[0].items
    assert listed == asked
    with pytest.raises(RefundRequestOpen):
        await wanted(flow, order, amount_minor=1)

    grant = GrantRefund(request_id=asked.id, restock_at="LEEDS", answer="sorry")
    granted = await flow.do(grant_refund, grant)
    assert (granted.status, granted.granted_minor, granted.answer) == ("granted", 200, "sorry")
    assert await paid(db, order) == (350, 200, 0)
    assert await on_hand(db, "mug", "LEEDS") == 2
    assert await db.value("select returned_quantity from orders.order_lines where line_no = 1") == 2
    entry = await db.one("select reason, delta, order_id from inventory.ledger where reason = 'returned'")
    assert tuple(entry) == ("returned", 2, order)
    with pytest.raises(AlreadyDecided):
        await flow.do(grant_refund, grant)
    with pytest.raises(AlreadyDecided):
        await flow.do(deny_refund, DenyRefund(request_id=asked.id, answer="no"))
    assert await db.value("select count(*) from orders.audit where action = 'refund.granted'") == 1


async def test_a_part_is_granted_or_nothing(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 3, 100))
    asked = await wanted(flow, order)
    assert asked.amount_minor == 300
    granted = await flow.do(grant_refund, GrantRefund(request_id=asked.id, amount_minor=70))
    assert granted.granted_minor == 70
    asked = await wanted(flow, order, amount_minor=230)
    denied = await flow.do(deny_refund, DenyRefund(request_id=asked.id, answer="it was used"))
    assert (denied.status, denied.answer) == ("denied", "it was used")
    assert await paid(db, order) == (300, 70, 0)
    with pytest.raises(MoreThanPaid):
        await wanted(flow, order, amount_minor=231)
    with pytest.raises(NotSoMany):
        await wanted(flow, order, lines=units({1: 4}))
    with pytest.raises(UnknownOrder):
        await wanted(flow, order, caller=Caller("somebody", frozenset({"customer"})))


async def test_no_more_goes_back_than_came(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 3, 100))
    await given(flow, order, amount_minor=250)
    with pytest.raises(MoreThanPaid):
        await given(flow, order, amount_minor=51)
    await given(flow, order, lines=units({1: 1}))
    assert await order_row(db, order) == ("completed", "shipped", 300, 0), "a unit costs what is left of it"
    with pytest.raises(MoreThanPaid):
        await given(flow, order, lines=units({1: 1}))
    for nothing in ({}, {"restock_at": "LON", "amount_minor": 1}):
        with pytest.raises(ValidationFailed):
            await given(flow, order, **nothing)


async def test_of_what_is_paid_at_shipment_no_more_goes_back_than_was_taken(flow: Flow, db: Books) -> None:
    order = await flow.ordered(("mug", 3, 100), capture="at_shipment")
    (id,) = (await flow.fulfilments(order)).values()
    with pytest.raises(MoreThanPaid):
        await given(flow, order, amount_minor=1)
    await flow.ship(id, {1: 1})
    with pytest.raises(MoreThanPaid):
        await given(flow, order, amount_minor=101)
    await given(flow, order, amount_minor=100)
    assert await paid(db, order) == (100, 100, 0)


async def test_refunds_at_once_give_back_no_more_than_was_paid(flow: Flow, ask: Ask, db: Books) -> None:
    order = await sent(flow, ("mug", 3, 100))
    body = {"amount_minor": 100, "reason": "came late"}
    answers = await asyncio.gather(
        *(
            ask(refund_order, f"/v1/admin/orders/{order}/refunds", body, roles=("operator",), idempotency_key=f"k{n}")
            for n in range(6)
        )
    )
    assert sorted(answer.status for answer in answers) == [202, 202, 202, 409, 409, 409]
    assert (await order_row(db, order))[2] == 300
    rows = await db.all("select data from platform.outbox where type = %(type)s", type=RefundPayment.type)
    await flow.carry([RefundPayment.model_validate_json(row.data) for row in rows])
    assert await paid(db, order) == (300, 300, 0)


async def test_a_refund_that_fails_is_seen_and_tried_again_under_another_key(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 3, 100))
    flow.held_up = {RefundPayment}
    refund = await given(flow, order, amount_minor=300)
    (command,) = flow.kept
    assert isinstance(command, RefundPayment)
    flow.kept = []
    failed = RefundFailed(
        order_id=order, refund_id=refund.id, command_key=command.command_key, amount_minor=300, code="closed_card"
    )
    await flow.carry([failed, failed])
    assert (await order_row(db, order))[2] == 0
    (seen,) = (await flow.run(list_refunds, ListRefunds(), caller=ADMIN))[0].items
    assert (seen.id, seen.status, seen.failure) == (refund.id, "failed", "closed_card")

    flow.held_up = set()
    again = RetryRefund(refund_id=refund.id, reason="the card is open again")
    await flow.do(retry_refund, again)
    assert of(RefundPayment, flow.said)[-1].command_key == f"refund/{refund.id}/2"
    assert await paid(db, order) == (300, 300, 0)
    await flow.carry([failed])
    assert (await order_row(db, order))[2] == 300, "the word on the key before is stale"
    with pytest.raises(NotFailed):
        await flow.do(retry_refund, again)


async def test_what_failed_before_is_not_given_back_twice_when_tried_again(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 3, 100))
    flow.held_up = {RefundPayment}
    refund = await given(flow, order, amount_minor=300)
    flow.held_up, flow.kept = set(), []
    await flow.carry(
        [
            RefundFailed(
                order_id=order, refund_id=refund.id, command_key=f"refund/{refund.id}", amount_minor=300, code="no"
            )
        ]
    )
    await given(flow, order, amount_minor=1)
    with pytest.raises(MoreThanPaid):
        await flow.do(retry_refund, RetryRefund(refund_id=refund.id, reason="again"))


async def test_nothing_goes_back_of_an_order_that_is_being_cancelled(flow: Flow) -> None:
    order = await flow.ordered(("mug", 3, 100))
    await flow.do(cancel_order, CancelOrder(order_id=order, reason="changed my mind"), CUSTOMER)
    with pytest.raises(OrderNotReady):
        await given(flow, order, amount_minor=1)
    with pytest.raises(OrderNotReady):
        await wanted(flow, order)


async def test_goods_come_back_in_parcels_and_are_paid_as_they_come(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 3, 100), ("plate", 1, 50))
    request = {"order_id": order, "lines": units({1: 3, 2: 1}), "reason": "too big"}
    back = await flow.do(authorize_return, AuthorizeReturn.model_validate(request))
    assert [(line.line_no, line.quantity, line.amount_minor) for line in back.lines] == [(1, 3, 300), (2, 1, 50)]
    with pytest.raises(NotSoMany):
        await flow.do(authorize_return, AuthorizeReturn.model_validate(request))
    assert (await flow.run(list_goods_returns, ListGoodsReturns(), caller=ADMIN))[0].items == [back]

    async def parcel(*lines: tuple[int, int, str]) -> Any:
        said = [{"line_no": no, "quantity": n, "condition": condition} for no, n, condition in lines]
        request = {"return_id": back.id, "location": "LON", "lines": said}
        return await flow.do(receive_return, ReceiveReturn.model_validate(request))

    before = await on_hand(db, "mug")
    view = await parcel((1, 1, "restock"), (1, 1, "damaged"))
    assert (view.status, [(line.restocked, line.damaged) for line in view.lines]) == ("authorized", [(1, 1), (0, 0)])
    assert await on_hand(db, "mug") == before + 1
    assert await paid(db, order) == (350, 200, 0)
    for too_much in ((1, 2, "restock"), (3, 1, "restock")):
        with pytest.raises(NotSoMany):
            await parcel(too_much)
    view = await parcel((1, 1, "restock"), (2, 1, "damaged"))
    assert view.status == "received"
    assert await paid(db, order) == (350, 350, 0)
    assert {event.location for event in of(FulfilmentReturned, flow.said)} == {"LON", "LEEDS"}
    with pytest.raises(ReturnClosed):
        await parcel((1, 1, "restock"))
    (restocked, again) = of(RestockGoods, flow.said)
    await flow.carry([restocked, again])
    assert await on_hand(db, "mug") == before + 2, "sent again they are booked no second time"
    assert len(of(GoodsRestocked, flow.said)) == 4


@pytest.mark.parametrize(("refund", "at_once", "returned"), [("before", 300, 3), ("on_receipt", 0, 1), ("none", 0, 1)])
async def test_what_never_comes_is_closed(flow: Flow, db: Books, refund: str, at_once: int, returned: int) -> None:
    order = await sent(flow, ("mug", 3, 100))
    request = {"order_id": order, "lines": units({1: 3}), "reason": "too big", "refund": refund}
    back = await flow.do(authorize_return, AuthorizeReturn.model_validate(request))
    assert (await paid(db, order))[1] == at_once
    lines = [{"line_no": 1, "quantity": 1, "condition": "damaged"}]
    parcel = {"return_id": back.id, "location": "LON", "lines": lines}
    await flow.do(receive_return, ReceiveReturn.model_validate(parcel))
    close = CloseReturn(return_id=back.id, reason="never came")
    assert (await flow.do(close_return, close)).status == "closed"
    assert await db.value("select returned_quantity from orders.order_lines") == returned
    with pytest.raises(ReturnClosed):
        await flow.do(close_return, close)


async def test_goods_for_a_location_that_is_closed_are_put_on_another_shelf(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 3, 100), ("gift", 1, 5))
    await given(flow, order, lines=units({1: 1, 2: 1}), restock_at="NOWHERE")
    step = await db.one("select id, state, answer from orders.steps where kind = 'restock'")
    assert (step.state, step.answer) == ("needs_attention", "location_closed")
    before = await on_hand(db, "mug")
    await flow.do(retry_step, RetryStep(step_id=step.id, reason="a typo", location="LON"))
    assert await on_hand(db, "mug") == before + 1
    assert await db.value("select count(*) from inventory.ledger where sku = 'gift'") == 0, "it is not tracked"


RECORDED = """
select l.status, l.failure, r.status as refund
from orders.return_lines l join orders.refunds r on r.id = l.refund_id
"""


async def returned(flow: Flow, price: int = 100) -> UUID:
    """A retailer's record of goods that came back, with a refund."""
    came_back = ReturnGoods(
        customer_id=CUSTOMER.subject, sku="mug", quantity=1, unit_price_minor=price, returned_at=NOW, reason="chipped"
    )
    await flow.do(return_goods, came_back)
    return UUID(str(await flow.db.value("select refund_id from orders.return_lines")))


async def test_a_recorded_return_is_a_refund_like_all_others(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 2, 100))
    flow.held_up = {RefundPayment}
    refund = await returned(flow)
    money: dict[str, Any] = {
        "order_id": order,
        "refund_id": refund,
        "command_key": f"refund/{refund}",
        "amount_minor": 100,
    }
    await flow.carry([RefundFailed(**money, code="closed_card")])
    row = await db.one(RECORDED)
    assert tuple(row) == ("failed", "closed_card", "failed")
    flow.held_up, flow.kept = set(), []
    await flow.do(retry_refund, RetryRefund(refund_id=refund, reason="again"))
    row = await db.one(RECORDED)
    assert tuple(row) == ("succeeded", None, "succeeded")
    assert await paid(db, order) == (200, 100, 0)


async def test_the_refund_of_a_cancellation_is_the_sagas(flow: Flow, db: Books) -> None:
    order = await sent(flow, ("mug", 2, 100))
    money: dict[str, Any] = {
        "order_id": order,
        "refund_id": order,
        "command_key": f"{order}/refund",
        "amount_minor": 200,
    }
    _, emitted = await flow.run(settle_steps, RefundSucceeded(**money, currency="GBP"))
    assert emitted == []
    assert (await order_row(db, order))[2] == 0
