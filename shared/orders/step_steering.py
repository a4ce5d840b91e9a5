"""Operators lead a step on that is stuck: what both of these functions ask and look up."""

from uuid import UUID

from sqlalchemy import text

from shared.orders.fulfilling import Fulfilling, Order, lock_orders
from shared.orders.fulfilment_problems import UnknownStep
from shared.orders.steps import Step
from shared.runtime import Work

OWNER = text("select order_id from orders.steps where id = :id")


async def lock_step(work: Work, step_id: UUID) -> tuple[Fulfilling, Order, Step]:
    """Raises UnknownStep."""
    order_id = await work.db.value(OWNER, id=step_id)
    if order_id is None:
        raise UnknownStep(step_id=step_id)
    locked = await lock_orders(work, [order_id], steps=[step_id])
    order = locked.orders[order_id]
    return locked, order, order.steps[step_id]
