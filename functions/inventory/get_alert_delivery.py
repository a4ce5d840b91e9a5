"""Show one delivery of a stock alert with every attempt that was made (INV-016)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_deliveries import VIEW, AlertDelivery
from shared.inventory.alert_tables import alert_attempts, alert_deliveries, alerts
from shared.inventory.problems import UnknownAlertDelivery
from shared.runtime import Request, View, Work, http

DELIVERY = text(f"{VIEW} where d.id = :delivery")
ATTEMPTS = text("""
select number, at, ended_at, outcome, answer, reason from inventory.alert_attempts
where delivery = :delivery order by number desc limit 100
""")


class AlertAttempt(View):
    """One that has no `outcome` is being made, or was cut off."""

    number: int
    at: datetime
    ended_at: datetime | None
    outcome: Literal["delivered", "retry", "failed"] | None
    answer: int | None
    reason: str | None


class AlertDeliveryLog(AlertDelivery):
    """`log` has the last hundred attempts, the newest first."""

    log: list[AlertAttempt]


class GetAlertDelivery(Request):
    delivery: UUID


@http("GET /v1/alert-deliveries/{delivery}", role="admin", reads=[alert_deliveries, alert_attempts, alerts])
async def get_alert_delivery(request: GetAlertDelivery, work: Work) -> AlertDeliveryLog:
    """Raises UnknownAlertDelivery."""
    attempts = work.db.enqueue(ATTEMPTS, delivery=request.delivery)
    row = await work.db.one(DELIVERY, delivery=request.delivery)
    if row is None:
        raise UnknownAlertDelivery(delivery=str(request.delivery))
    return AlertDeliveryLog.model_validate({**row._asdict(), "log": [one._asdict() for one in await attempts.all()]})
