"""List who is told of stock alerts, in keyset pages (INV-016)."""

from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_tables import alert_targets
from shared.inventory.alert_targets import COLUMNS, AlertTarget
from shared.runtime import Page, Paged, Work, http, key_of

FIRST = UUID(int=0)

PAGE = text(f"""
select {COLUMNS} from inventory.alert_targets where deleted_at is null and id > :after order by id limit :count
""")  # noqa: S608 - of constants


class ListAlertTargets(Paged):
    pass


@http("GET /v1/alert-targets", role="admin", reads=[alert_targets])
async def list_alert_targets(request: ListAlertTargets, work: Work) -> Page[AlertTarget]:
    """The oldest first, without their secrets."""
    (after,) = key_of(request.cursor, UUID) or (FIRST,)
    rows = await work.db.all(PAGE, after=after, count=request.limit + 1)
    items = [AlertTarget.model_validate(row, from_attributes=True) for row in rows[: request.limit]]
    return Page(items, (items[-1].id,) if len(rows) > request.limit else None)
