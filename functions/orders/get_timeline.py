"""Tell an order's story in the order of time: saga moves, events, failures, dead letters (ORD-003)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, select, text

from shared.orders.problems import UnknownOrder
from shared.orders.story import DEAD_LETTER, EVENT, FAILURE, MOVE, story
from shared.orders.tables import orders, saga_moves
from shared.platform.tables import attempts, dead_letters, outbox
from shared.runtime import Request, View, Work, http
from shared.runtime.log import redacted

OWNER = select(orders.c.customer_id).where(orders.c.id == bindparam("order_id"))

STORY = text(story(EVENT, MOVE, FAILURE, DEAD_LETTER))


class GetTimeline(Request):
    order_id: UUID


class TimelineItem(BaseModel):
    """`what` is an event's type, the state that a saga moved to, or the function that failed."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: Literal["event", "move", "failure", "dead-letter"]
    what: str
    detail: dict[str, Any]


class Timeline(View):
    items: list[TimelineItem]


@http(
    "GET /v1/orders/{order_id}/timeline",
    role=("customer", "admin", "operator"),
    reads=[orders, saga_moves, outbox, attempts, dead_letters],
)
async def get_timeline(request: GetTimeline, work: Work) -> Timeline:
    """Payment tokens are never shown, and a function's own errors not to customers.

    Raises UnknownOrder, also for an order that is somebody else's.
    """
    insider = work.caller.has("admin", "operator")
    order = await work.db.one(OWNER, order_id=request.order_id)
    if order is None or not (insider or order.customer_id == work.caller.subject):
        raise UnknownOrder(order_id=request.order_id)
    rows = await work.db.all(STORY, order_id=request.order_id)
    hidden = frozenset() if insider else frozenset({"error"})
    return Timeline(
        items=[
            TimelineItem(at=row.at, kind=row.kind, what=row.what, detail=redacted(_without(row.detail, hidden)))
            for row in rows
        ]
    )


def _without(detail: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if name not in hidden}
