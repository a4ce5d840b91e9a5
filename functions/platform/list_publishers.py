"""List which services may publish which events, and from which sources (PLAT-007)."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.platform.tables import publishers
from shared.runtime import Page, Paged, View, Work, http, key_of

PAGE = text("""
select p.subject, p.source, array_agg(p.type order by p.type) as types, max(p.granted_at) as granted_at
from platform.publishers p
where (cast(:subject as text) = '' or p.subject = :subject)
  and (cast(:type as text) = '' or exists (
    select from platform.publishers t where (t.subject, t.source) = (p.subject, p.source) and t.type = :type))
  and (p.subject, p.source) > (cast(:after_subject as text), cast(:after_source as text))
group by p.subject, p.source
order by p.subject, p.source
limit :count
""")


class ListPublishers(Paged):
    """`subject` is the `sub` of a service's tokens; with `type`, who may publish events of it."""

    subject: Annotated[str, Field(max_length=255)] = ""
    type: Annotated[str, Field(max_length=255)] = ""


class GrantedRight(View):
    """`granted_at` is when the newest of them was granted."""

    subject: str
    source: str
    types: list[str]
    granted_at: datetime


@http("GET /v1/admin/publishers", role=("admin", "operator"), reads=[publishers])
async def list_publishers(request: ListPublishers, work: Work) -> Page[GrantedRight]:
    """By subject and source."""
    subject, source = key_of(request.cursor, str, str) or ("", "")
    rows = await work.db.all(
        PAGE,
        subject=request.subject,
        type=request.type,
        after_subject=subject,
        after_source=source,
        count=request.limit + 1,
    )
    shown = [GrantedRight.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].subject, shown[-1].source) if len(rows) > request.limit else None)
