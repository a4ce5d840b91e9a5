"""What requests of fulfilment, cancellation and refund have in common: the words for units, and the order at hand."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.orders.fulfilling import Fulfilling, Order, lock_orders
from shared.orders.fulfilment import Fulfilment
from shared.orders.fulfilment_problems import OrderNotReady, UnderReview, UnknownFulfilment
from shared.orders.fulfilment_views import may_see, order_of
from shared.orders.problems import UnknownOrder
from shared.runtime import Work
from shared.vocabulary import Quantity

LineNo = Annotated[int, Field(strict=True, ge=1, le=100_000, examples=[1])]


class LineUnits(BaseModel):
    """So many units of the order's line; lines that name it again are added up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_no: LineNo
    quantity: Quantity


Lines = Annotated[list[LineUnits], Field(min_length=1, max_length=2_000)]


def summed(lines: list[LineUnits]) -> dict[int, int]:
    units: dict[int, int] = {}
    for line in lines:
        units[line.line_no] = units.get(line.line_no, 0) + line.quantity
    return units


async def lock_fulfilment(work: Work, fulfilment_id: UUID) -> tuple[Fulfilling, Order, Fulfilment]:
    """Raises UnknownFulfilment, and OrderNotReady."""
    order_id = await order_of(work, fulfilment_id)
    locked = await lock_orders(work, [order_id])
    order = locked.orders[order_id]
    one = order.fulfilments.get(fulfilment_id)
    if one is None:
        raise UnknownFulfilment(fulfilment_id=fulfilment_id)
    return locked, order, one


async def lock_order(work: Work, order_id: UUID) -> tuple[Fulfilling, Order]:
    """Raises UnknownOrder, also for somebody else's."""
    locked = await lock_orders(work, [order_id])
    order = locked.orders.get(order_id)
    if order is None or not may_see(work, order.at.customer_id):
        raise UnknownOrder(order_id=order_id)
    return locked, order


def check_may_leave(order: Order) -> None:
    """Raises OrderNotReady, and UnderReview."""
    check_stands(order)
    if order.review is not None:
        raise UnderReview(order_id=order.id, review=order.review)


def check_stands(order: Order) -> None:
    if not order.stands:
        raise OrderNotReady(order_id=order.id, status_now=order.at.status)
