"""An order as those who look after it take it in hand: its row locked, so that nobody ships it meanwhile."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.problems import UnknownOrder
from shared.runtime import Request, View, Work
from shared.runtime.pipeline import Row
from shared.vocabulary import Line

TAKE = text("""
select id, status, fulfilment, country, email, shipping_address, billing_address, tags, review, version
from orders.orders where id = :order_id for update
""")

Reason = Annotated[Line, Field(examples=["asked for by phone"])]
"""It is kept for good with who did it: no names and addresses in it."""


class WithReason(Request):
    order_id: UUID
    reason: Reason


class ReviewState(View):
    order_id: UUID
    review: str | None


async def taken(work: Work, order_id: UUID) -> Row:
    """The order's row, locked until the transaction ends. Raises UnknownOrder."""
    row = await work.db.one(TAKE, order_id=order_id)
    if row is None:
        raise UnknownOrder(order_id=order_id)
    return row


async def known(work: Work, order_id: UUID) -> None:
    """Raises UnknownOrder."""
    if not await work.db.value(KNOWN, order_id=order_id):
        raise UnknownOrder(order_id=order_id)


KNOWN = text("select exists (select from orders.orders where id = :order_id)")


def changed(before: Any, after: dict[str, Any]) -> list[str]:
    """The names of what is another than before; the values may be personal, and stay out of the books."""
    return sorted(name for name, value in after.items() if getattr(before, name) != value)
