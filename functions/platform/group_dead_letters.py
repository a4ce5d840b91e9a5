"""Group the dead letters that wait for an operator by their cause, the largest group first."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.platform.tables import dead_letters
from shared.runtime import Page, Request, View, Work, http

GROUPS = text("""
select consumer, fingerprint, min(type) as type, count(*) as letters, count(distinct key) as keys,
  (array_agg(error order by received_at desc))[1] as last_error,
  min(received_at) as first_received_at, max(received_at) as last_received_at
from platform.dead_letters
where replayed_at is null
group by consumer, fingerprint
order by letters desc, consumer, fingerprint
limit :limit
""")


class GroupDeadLetters(Request):
    """`limit` counts groups."""

    limit: Annotated[int, Field(ge=1, le=100)] = 100


class DeadLetterGroup(View):
    """Letters of one function, of one event type, that died of one cause."""

    consumer: str
    fingerprint: str
    type: str
    letters: int
    keys: int
    last_error: str
    first_received_at: datetime
    last_received_at: datetime


@http("GET /v1/dead-letters/groups", role="operator", reads=[dead_letters])
async def group_dead_letters(request: GroupDeadLetters, work: Work) -> Page[DeadLetterGroup]:
    rows = await work.db.all(GROUPS, limit=request.limit)
    return Page([DeadLetterGroup.model_validate(row._asdict()) for row in rows])
