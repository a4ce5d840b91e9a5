"""Put tags on an order, and take others off (ORD-013)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk import taken
from shared.orders.desk_problems import TooManyTags
from shared.orders.finding import Tag
from shared.orders.tables import audit, orders
from shared.runtime import Request, View, Work, http

AT_MOST = 20

KEEP = text("update orders.orders set tags = :tags, version = version + 1 where id = :order_id")


class TagOrder(Request):
    """A tag in both stays."""

    order_id: UUID
    add: Annotated[tuple[Tag, ...], Field(max_length=AT_MOST)] = ()
    remove: Annotated[tuple[Tag, ...], Field(max_length=AT_MOST)] = ()


class TagsView(View):
    order_id: UUID
    tags: list[str]


@http("POST /v1/admin/orders/{order_id}/tags", role=("admin", "operator"), writes=[orders, audit])
async def tag_order(request: TagOrder, work: Work) -> TagsView:
    """Raises UnknownOrder, TooManyTags."""
    order = await taken(work, request.order_id)
    tags = sorted({*order.tags} - {*request.remove} | {*request.add})
    if len(tags) > AT_MOST:
        raise TooManyTags(order_id=request.order_id, at_most=AT_MOST)
    if tags != order.tags:
        await work.db.send(KEEP, order_id=request.order_id, tags=tags)
        added, removed = sorted({*tags} - {*order.tags}), sorted({*order.tags} - {*tags})
        await record(work, "order.tagged", request.order_id, added=added, removed=removed)
    return TagsView(order_id=request.order_id, tags=tags)
