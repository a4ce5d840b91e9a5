"""Show one target of stock alerts (INV-016)."""

from uuid import UUID

from shared.inventory.alert_tables import alert_targets
from shared.inventory.alert_targets import AlertTarget, find_target
from shared.runtime import Request, Work, http


class GetAlertTarget(Request):
    target: UUID


@http("GET /v1/alert-targets/{target}", role="admin", reads=[alert_targets])
async def get_alert_target(request: GetAlertTarget, work: Work) -> AlertTarget:
    """Without its secret. Raises UnknownAlertTarget."""
    return await find_target(work, request.target)
