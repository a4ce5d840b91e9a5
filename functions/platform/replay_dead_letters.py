"""Hand dead letters to their functions again, in key order."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.platform.redelivery import redeliver
from shared.platform.tables import attempts, dead_letters, outbox
from shared.runtime import Request, View, Work, http

MOST_AT_ONCE = 2000

_chosen = """
(cast(:consumer as text) is null or consumer = :consumer)
  and (cast(:fingerprint as text) is null or fingerprint = :fingerprint)
  and case when cast(:ids as uuid[]) is null then replayed_at is null else id = any(:ids) end
"""

# Every replay locks in the same order; one that waited here finds the letters replayed, and passes them by.
TAKE = text(f"""
select id, consumer, headers, received_at from platform.dead_letters
where {_chosen}
order by key collate "C", headers ->> 'ce-time' collate "C", length(headers ->> 'ce-sequence'),
  headers ->> 'ce-sequence' collate "C", id
limit :most
for update
""")  # noqa: S608 - put together from constants

COUNT = text(f"select count(*) from platform.dead_letters where {_chosen}")  # noqa: S608 - likewise


class ReplayDeadLetters(Request):
    """Letters that fit all that is given and were not replayed yet; those named by `ids` in any case."""

    consumer: Annotated[str, Field(min_length=1, max_length=100, examples=["hold-stock"])] | None = None
    fingerprint: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None
    dry_run: bool = False


class Replayed(View):
    """`replayed` letters went, or in a dry run would go; `remaining` ones fit too and wait for the next call."""

    replayed: int
    remaining: int
    dry_run: bool


@http(
    "POST /v1/dead-letters/replay",
    role="operator",
    idempotent=True,
    writes=[dead_letters, attempts, outbox],
)
async def replay_dead_letters(request: ReplayDeadLetters, work: Work) -> Replayed:
    """Sends the original events over each function's retry topic; one that was applied after all changes nothing."""
    chosen = request.model_dump(include={"consumer", "fingerprint", "ids"})
    fitting = await work.db.value(COUNT, **chosen)
    if request.dry_run:
        going = min(fitting, MOST_AT_ONCE)
        return Replayed(replayed=going, remaining=fitting - going, dry_run=True)
    letters = await work.db.all(TAKE, most=MOST_AT_ONCE, **chosen)
    if letters:
        await redeliver(work.db, letters, work.now)
    return Replayed(replayed=len(letters), remaining=max(0, fitting - len(letters)), dry_run=False)
