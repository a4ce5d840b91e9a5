"""List stock alerts, newest first, in keyset pages (INV-016)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_tables import alert_watches, alerts
from shared.inventory.alerts import Alert, Kind
from shared.inventory.levels import LocationId
from shared.runtime import Page, Paged, Work, http, key_of
from shared.vocabulary import Sku

PAGE = text("""
select a.id, a.kind, w.sku, w.location, a.at, a.raised_at, a.closed_at, a.data
from inventory.alerts a join inventory.alert_watches w on w.id = a.watch
where (cast(:sku as text) is null or w.sku = :sku)
  and (cast(:location as text) is null or w.location = :location)
  and (cast(:kind as text) is null or a.kind = :kind)
  and (cast(:state as text) is null or (:state = 'open') = (a.closed_at is null))
  and (cast(:before as timestamptz) is null or (a.raised_at, a.id) < (:before, cast(:before_id as uuid)))
order by a.raised_at desc, a.id desc limit :count
""").execution_options(planned="anew")


class ListAlerts(Paged):
    """`state`: `open` alerts are of an episode that goes on."""

    sku: Sku | None = None
    location: LocationId | None = None
    kind: Kind | None = None
    state: Literal["open", "closed"] | None = None


@http("GET /v1/alerts", role="admin", reads=[alerts, alert_watches])
async def list_alerts(request: ListAlerts, work: Work) -> Page[Alert]:
    before, before_id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, None)
    chosen = request.model_dump(include={"sku", "location", "kind", "state"})
    rows = await work.db.all(PAGE, before=before, before_id=before_id, count=request.limit + 1, **chosen)
    items = [Alert.model_validate(row, from_attributes=True) for row in rows[: request.limit]]
    return Page(items, (items[-1].raised_at, items[-1].id) if len(rows) > request.limit else None)
