"""Tell what happens to an order as it happens, by server-sent events (ORD-003)."""

import re
from functools import partial
from time import monotonic
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import orjson
from pydantic import Field
from sqlalchemy import bindparam, select, text

from shared.orders.problems import UnknownOrder
from shared.orders.tables import orders
from shared.platform.tables import outbox
from shared.runtime import Rate, Request, Stream, Work, http
from shared.runtime.log import redacted

LIVES_S = 55.0
"""How long one stream lasts; its reader comes again and goes on where it ended. The platform cuts later than that."""

LOOKS_EVERY_S = 0.5
BEATS_EVERY_S = 10.0
AT_ONCE = 100

TOPICS = {"holds": "shop.holds", "orders": "shop.orders", "payments": "shop.payments"}
"""What has happened; commands and their repetitions are nobody's news."""

OWNER = select(orders.c.customer_id).where(orders.c.id == bindparam("order_id"))

# The numbers of one topic leave no gap and are committed in their order, so that what is beyond one is never missed.
NEWS = text("""
select o.topic, o.sequence, o.type, o.time, convert_from(o.data, 'UTF8') as data
from platform.outbox o
join unnest(cast(:topics as text[]), cast(:had as bigint[])) as t (topic, had) on t.topic = o.topic
where o.key = :key and o.sequence > t.had
order by o.position limit :count
""")

PLACE = re.compile(r"(holds|orders|payments)=([0-9]{1,15})")


class FollowOrder(Request):
    """`last_event_id` is the `id` of the last event that was had; readers send it as Last-Event-ID."""

    order_id: UUID
    last_event_id: Annotated[str, Field(max_length=255, pattern=rf"^({PLACE.pattern}(;|$))*$")] | None = None


class Place(NamedTuple):
    """How far a reader is in each topic, since when the stream runs, and when it was last written to."""

    had: dict[str, int]
    began: float
    wrote: float


@http(
    "GET /v1/orders/{order_id}/events",
    role=("customer", "admin", "operator"),
    resumes=True,
    rate=Rate(per_s=1, burst=20),
    reads=[orders, outbox],
)
async def follow_order(request: FollowOrder, work: Work) -> Annotated[Stream, "text/event-stream"]:
    """From its beginning, or after the event that was had last; told as soon as it happens, and for 30 days.

    Each event has its type as name, and as `id` how far the reader is now. The stream ends itself after a minute: come
    again, with that id, and nothing is missed.

    Raises UnknownOrder, also for an order that is somebody else's.
    """
    order = await work.db.one(OWNER, order_id=request.order_id)
    own = order is not None and order.customer_id is not None and order.customer_id == work.caller.subject
    if order is None or not (own or work.caller.has("admin", "operator")):
        raise UnknownOrder(order_id=request.order_id)
    had = dict.fromkeys(TOPICS, 0) | {name: int(n) for name, n in PLACE.findall(request.last_event_id or "")}
    return Stream("text/event-stream", partial(_news, str(request.order_id), had), pause_s=LOOKS_EVERY_S)


async def _news(key: str, since: dict[str, int], place: Place | None, work: Work) -> tuple[bytes, Place | None]:
    now = monotonic()
    at = place or Place(since, now, now)
    rows = await work.db.all(
        NEWS, key=key, topics=[*TOPICS.values()], had=[at.had[name] for name in TOPICS], count=AT_ONCE
    )
    names = {topic: name for name, topic in TOPICS.items()}
    told, had = [] if place else [b"retry: 1000\n\n"], dict(at.had)
    for row in rows:
        had[names[row.topic]] = row.sequence
        told.append(_event(row, had))
    if not told and now - at.wrote >= BEATS_EVERY_S:
        told = [b": still here\n\n"]
    over = now - at.began >= LIVES_S
    return b"".join(told), None if over else Place(had, at.began, now if told else at.wrote)


def _event(row: Any, had: dict[str, int]) -> bytes:
    """One event of the stream (HTML, 9.2.6); JSON has no line breaks of its own."""
    where = ";".join(f"{name}={n}" for name, n in had.items() if n)
    data = orjson.dumps({"type": row.type, "time": row.time, "data": redacted(orjson.loads(row.data))})
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (where.encode(), row.type.encode(), data)
