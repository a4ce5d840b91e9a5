"""Deliver an alert to a target again, whatever came of it before (INV-016)."""

from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_deliveries import VIEW, AlertDelivery
from shared.inventory.alert_tables import alert_deliveries, alert_targets, alerts
from shared.inventory.problems import AlertTargetDisabled, UnknownAlertDelivery
from shared.runtime import Request, Work, http

TO_CHANGE = text("""
select d.id, d.target, d.alert is null as test, t.enabled, t.deleted_at
from inventory.alert_deliveries d join inventory.alert_targets t on t.id = d.target
where d.id = :delivery for update of d
""")
AGAIN = text("""
update inventory.alert_deliveries
set status = 'pending', tries = 0, next_at = :now, asked_at = :now, ended_at = null, answer = null, reason = null
where id = :delivery
""")
AFTER = text(f"{VIEW} where d.id = :delivery")


class RedeliverAlert(Request):
    delivery: UUID


@http(
    "POST /v1/alert-deliveries/{delivery}/redelivery",
    status=202,
    role="admin",
    idempotent="optional",
    reads=[alert_targets, alerts],
    writes=[alert_deliveries],
)
async def redeliver_alert(request: RedeliverAlert, work: Work) -> AlertDelivery:
    """At once, under the same id, and with all its tries anew. One that waits for its next try need not wait.

    Raises UnknownAlertDelivery, AlertTargetDisabled.
    """
    found = await work.db.one(TO_CHANGE, delivery=request.delivery)
    if found is None:
        raise UnknownAlertDelivery(delivery=str(request.delivery))
    if found.deleted_at is not None or not (found.enabled or found.test):
        raise AlertTargetDisabled(target=str(found.target))
    await work.db.send(AGAIN, delivery=found.id, now=work.now)
    return AlertDelivery.model_validate(await work.db.one(AFTER, delivery=found.id), from_attributes=True)
