"""Raise an alert when stock runs low, runs out, is short or is back, once in each episode (INV-016)."""

from typing import get_args

from shared.inventory.alert_tables import alert_deliveries, alert_targets, alert_watches, alerts
from shared.inventory.alerts import News, hear
from shared.runtime import Work, on_event


@on_event(*get_args(News), reads=[alert_targets], writes=[alert_watches, alerts, alert_deliveries])
async def raise_alerts(event: News, work: Work) -> None:
    """Every target that is enabled for it will be told. An event that is older than what was heard changes nothing."""
    await hear(event, work)
