"""Deliver alerts by signed webhook and by mail, again and again over a day where they are not taken (INV-016)."""

from shared.inventory.alert_deliveries import Claimed, Sent, claim_due, send_all, settle
from shared.inventory.alert_tables import alert_attempts, alert_deliveries, alert_secrets, alert_targets, alerts
from shared.runtime import Egress, Work, timer


async def prepare(work: Work) -> list[Claimed]:
    return await claim_due(work)


async def call(claimed: list[Claimed], egress: Egress) -> list[Sent]:
    return await send_all(claimed, egress)


@timer(
    "*/2 * * * * *",
    prepare=prepare,
    call=call,
    reads=[alerts, alert_secrets],
    writes=[alert_deliveries, alert_attempts, alert_targets],
    secrets=["SMTP_URL", "ALERTS_FROM"],
)
async def send_alerts(outcome: list[Sent], work: Work) -> None:
    """What a run that died had in hand is sent again when its lease ends, under the same id."""
    await settle(outcome, work)
