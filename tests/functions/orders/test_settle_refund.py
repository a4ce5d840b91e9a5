"""What payments answers to a return's refund is settled once, and given back to the order when it failed."""

from uuid import UUID

from functions.orders.return_goods import ReturnGoods, return_goods
from functions.orders.settle_refund import settle_refund
from shared.orders.saga import State
from shared.payments.events import RefundFailed, RefundSucceeded
from tests.conftest import ADMIN, CUSTOMER, NOW, Books, Run
from tests.functions.orders.sagas import order_at


async def returned(run: Run, db: Books) -> tuple[UUID, UUID]:
    """The order and the refund asked for, of 100 minor units."""
    order = await order_at(run, State.COMPLETED)
    came_back = ReturnGoods(
        customer_id=CUSTOMER.subject, sku="mug", quantity=1, unit_price_minor=100, returned_at=NOW, reason="chipped"
    )
    await run(return_goods, came_back, caller=ADMIN)
    return order, await db.value("select refund_id from orders.return_lines where order_id = %(order)s", order=order)


async def line(db: Books) -> tuple[str, str | None, int]:
    """The return line's status and failure, and what the order counts as refunded."""
    row = await db.one(
        """select r.status, r.failure, o.refunded_minor
        from orders.return_lines r join orders.orders o on o.id = r.order_id"""
    )
    return row.status, row.failure, row.refunded_minor


def succeeded(order: UUID, refund: UUID) -> RefundSucceeded:
    return RefundSucceeded(
        order_id=order, refund_id=refund, command_key=f"refund/{refund}", amount_minor=100, currency="GBP"
    )


def failed(order: UUID, refund: UUID) -> RefundFailed:
    return RefundFailed(
        order_id=order, refund_id=refund, command_key=f"refund/{refund}", amount_minor=100, code="closed_card"
    )


async def test_a_refund_that_succeeded_is_settled(run: Run, db: Books) -> None:
    order, refund = await returned(run, db)
    await run(settle_refund, succeeded(order, refund))
    assert await line(db) == ("succeeded", None, 100)

    await run(settle_refund, failed(order, refund))
    assert await line(db) == ("succeeded", None, 100), "a later word changes nothing"


async def test_a_refund_that_failed_may_be_asked_for_again(run: Run, db: Books) -> None:
    order, refund = await returned(run, db)
    for _ in range(2):
        await run(settle_refund, failed(order, refund))
    assert await line(db) == ("failed", "closed_card", 0)


async def test_a_refund_of_a_cancellation_is_none_of_its_business(run: Run, db: Books) -> None:
    order, _ = await returned(run, db)
    await run(settle_refund, succeeded(order, order))
    await run(settle_refund, failed(order, order))
    assert await line(db) == ("requested", None, 100)
