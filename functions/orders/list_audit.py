"""Read what people did to orders and to customers' data, newest first (ORD-013)."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import TextClause, text

from shared.orders.tables import audit, orders
from shared.runtime import Page, Paged, View, Work, http, key_of
from shared.vocabulary import Moment


class ListAudit(Paged):
    """`action` is one, such as `order.noted`, or the beginning that all of a kind have, such as `order`."""

    order_id: UUID | None = None
    actor: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    action: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z_.]+$")] | None = None
    since: Moment | None = None
    until: Moment | None = None


class AuditEntry(View):
    id: int
    at: datetime
    actor: str
    action: str
    order_id: UUID | None
    number: str | None
    reason: str | None
    detail: dict[str, Any]


CONDITIONS = {
    "order_id": "a.order_id = :order_id",
    "actor": "a.actor = :actor",
    "action": "starts_with(a.action, :action)",
    "since": "a.at >= :since",
    "until": "a.at < :until",
    "before": "a.id < :before",
}


@lru_cache(maxsize=64)
def _page(asked: frozenset[str]) -> TextClause:
    where = " and ".join(condition for name, condition in CONDITIONS.items() if name in asked) or "true"
    return text(f"""
select a.id, a.at, a.actor, a.action, a.order_id, o.number, a.reason, a.detail
from orders.audit a left join orders.orders o on o.id = a.order_id
where {where} order by a.id desc limit :count
""").execution_options(planned="anew")  # noqa: S608 - of constants


@http("GET /v1/admin/audit", role=("admin", "operator"), reads=[audit, orders])
async def list_audit(request: ListAudit, work: Work) -> Page[AuditEntry]:
    said = request.model_dump(exclude={"limit", "cursor"}, exclude_none=True)
    if key := key_of(request.cursor, int):
        (said["before"],) = key
    rows = await work.db.all(_page(frozenset(said)), count=request.limit + 1, **said)
    shown = [AuditEntry.model_validate(row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].id,) if len(rows) > request.limit else None)
