"""List when the books disagreed and for how long, newest first (ORD-015)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.platform.tables import findings
from shared.runtime import Page, Paged, View, Work, http, key_of

PAGE = text("""
select id, name, first_seen, last_seen, told_at, gone_at, violations, most, examples from platform.findings
where (cast(:name as text) is null or name = :name)
  and (cast(:state as text) is null or (:state = 'open') = (gone_at is null))
  and (cast(:before as timestamptz) is null or (first_seen, id) < (:before, cast(:before_id as uuid)))
order by first_seen desc, id desc limit :count
""").execution_options(planned="anew")


class ListFindings(Paged):
    """`state`: `open` ones are still there."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["stock_equals_ledger"])] | None = None
    state: Literal["open", "gone"] | None = None


class FindingView(View):
    """`told_at` is null where it was gone at the second look. `most` is the largest number of violations seen.

    `violations` and `examples` are those of `last_seen`.
    """

    id: UUID
    name: str
    first_seen: datetime
    last_seen: datetime
    told_at: datetime | None
    gone_at: datetime | None
    violations: int
    most: int
    examples: list[dict[str, Any]]


@http("GET /v1/invariants/history", role="operator", reads=[findings])
async def list_findings(request: ListFindings, work: Work) -> Page[FindingView]:
    before, before_id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, None)
    chosen = request.model_dump(include={"name", "state"})
    rows = await work.db.all(PAGE, before=before, before_id=before_id, count=request.limit + 1, **chosen)
    items = [FindingView.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(items, (items[-1].first_seen, items[-1].id) if len(rows) > request.limit else None)
