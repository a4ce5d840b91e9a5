"""Send no alerts to a target any more, and forget its address and secrets (INV-016)."""

from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_tables import alert_deliveries, alert_secrets, alert_targets
from shared.inventory.alert_targets import find_target_to_change, stop
from shared.runtime import Request, Work, http

DELETE = text("""
with forgotten as (delete from inventory.alert_secrets where target = :id)
update inventory.alert_targets
set address = null, enabled = false, disabled_reason = null, deleted_at = :now, updated_at = :now, version = version + 1
where id = :id
""")


class DeleteAlertTarget(Request):
    target: UUID


@http(
    "DELETE /v1/alert-targets/{target}",
    role="admin",
    status=204,
    writes=[alert_targets, alert_secrets, alert_deliveries],
)
async def delete_alert_target(request: DeleteAlertTarget, work: Work) -> None:
    """What was delivered to it stays in the log; what waits to be fails. Raises UnknownAlertTarget."""
    target = await find_target_to_change(work, request.target)
    await work.db.send(DELETE, id=target.id, now=work.now)
    await stop(work, [target.id], "The target was deleted.", tests=True)
