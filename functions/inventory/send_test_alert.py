"""Have a test alert delivered to a target, to see that it arrives (INV-016)."""

from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_deliveries import AlertDelivery
from shared.inventory.alert_tables import alert_deliveries, alert_targets
from shared.inventory.alert_targets import find_target
from shared.runtime import Request, Work, http

KEEP = text("""
insert into inventory.alert_deliveries (id, target, status, next_at, created_at, asked_at)
values (:id, :target, 'pending', :now, :now, :now)
returning id, alert, null as kind, target, status, attempts, next_at, answer, reason, created_at, ended_at
""")


class SendTestAlert(Request):
    target: UUID


@http(
    "POST /v1/alert-targets/{target}/test",
    status=202,
    role="admin",
    idempotent="optional",
    reads=[alert_targets],
    writes=[alert_deliveries],
)
async def send_test_alert(request: SendTestAlert, work: Work) -> AlertDelivery:
    """Also to one that is disabled. The delivery says some seconds later what came of it. Raises UnknownAlertTarget."""
    target = await find_target(work, request.target)
    row = await work.db.one(KEEP, id=work.new_id(), target=target.id, now=work.now)
    return AlertDelivery.model_validate(row, from_attributes=True)
