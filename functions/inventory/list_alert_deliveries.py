"""List what was sent of stock alerts and what came of it, newest first, in keyset pages (INV-016)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_deliveries import VIEW, AlertDelivery
from shared.inventory.alert_tables import alert_deliveries, alerts
from shared.runtime import Page, Paged, Work, http, key_of

PAGE = text(f"""
{VIEW}
where (cast(:target as uuid) is null or d.target = :target)
  and (cast(:alert as uuid) is null or d.alert = :alert)
  and (cast(:status as text) is null or d.status = :status)
  and (cast(:before as timestamptz) is null or (d.created_at, d.id) < (:before, cast(:before_id as uuid)))
order by d.created_at desc, d.id desc limit :count
""").execution_options(planned="anew")


class ListAlertDeliveries(Paged):
    target: UUID | None = None
    alert: UUID | None = None
    status: Literal["pending", "delivered", "failed"] | None = None


@http("GET /v1/alert-deliveries", role="admin", reads=[alert_deliveries, alerts])
async def list_alert_deliveries(request: ListAlertDeliveries, work: Work) -> Page[AlertDelivery]:
    before, before_id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, None)
    chosen = request.model_dump(include={"target", "alert", "status"})
    rows = await work.db.all(PAGE, before=before, before_id=before_id, count=request.limit + 1, **chosen)
    items = [AlertDelivery.model_validate(row, from_attributes=True) for row in rows[: request.limit]]
    return Page(items, (items[-1].created_at, items[-1].id) if len(rows) > request.limit else None)
