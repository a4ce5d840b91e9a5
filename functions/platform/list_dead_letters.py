"""List the events that no function could take, newest first, with what made them so."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, func, or_, select, tuple_

from shared.platform.tables import dead_letters
from shared.runtime import Page, Paged, View, Work, http, key_of

_time, _id = dead_letters.c.received_at, dead_letters.c.id

PAGE = (
    select(
        _id,
        dead_letters.c.consumer,
        dead_letters.c.type,
        dead_letters.c.source,
        dead_letters.c.event_id,
        dead_letters.c.key,
        dead_letters.c.reason,
        dead_letters.c.status_code,
        dead_letters.c.error,
        dead_letters.c.fingerprint,
        func.octet_length(dead_letters.c.data).label("data_bytes"),
        _time,
        dead_letters.c.replays,
        dead_letters.c.replayed_at,
    )
    .where(
        or_(bindparam("consumer") == "", dead_letters.c.consumer == bindparam("consumer")),
        or_(bindparam("fingerprint") == "", dead_letters.c.fingerprint == bindparam("fingerprint")),
        or_(bindparam("state") == "", (bindparam("state") == "open") == dead_letters.c.replayed_at.is_(None)),
    )
    .order_by(_time.desc(), _id.desc())
    .limit(bindparam("count"))
)
PAGE_BEFORE = PAGE.where(
    tuple_(_time, _id) < tuple_(bindparam("time", type_=_time.type), bindparam("id", type_=_id.type))
)


class ListDeadLetters(Paged):
    """`state`: `open` letters wait for an operator, `replayed` ones were handed to their function again."""

    consumer: Annotated[str, Field(max_length=100)] = ""
    fingerprint: Annotated[str, Field(max_length=64)] = ""
    state: Literal["", "open", "replayed"] = ""


class DeadLetter(View):
    """The event's data is not shown: it may be personal. Letters of one `fingerprint` have one cause."""

    id: UUID
    consumer: str
    type: str
    source: str
    event_id: str
    key: str | None
    reason: Literal["parked", "dead-lettered"]
    status_code: int | None
    error: str
    fingerprint: str
    data_bytes: int
    received_at: datetime
    replays: int
    replayed_at: datetime | None


@http("GET /v1/dead-letters", role="operator", reads=[dead_letters])
async def list_dead_letters(request: ListDeadLetters, work: Work) -> Page[DeadLetter]:
    before = key_of(request.cursor, datetime.fromisoformat, UUID)
    place = {} if before is None else {"time": before[0], "id": before[1]}
    rows = await work.db.all(
        PAGE_BEFORE if place else PAGE,
        consumer=request.consumer,
        fingerprint=request.fingerprint,
        state=request.state,
        count=request.limit + 1,
        **place,
    )
    shown = [DeadLetter.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].received_at, shown[-1].id) if len(rows) > request.limit else None)
