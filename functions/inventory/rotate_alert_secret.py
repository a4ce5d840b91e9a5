"""Give a webhook a new secret; the old one signs beside it for a day (INV-016)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.inventory.alert_tables import alert_secrets, alert_targets
from shared.inventory.alert_targets import ADD_SECRET, OLD_SECRET_LIVES, find_target_to_change
from shared.inventory.problems import NotAWebhook
from shared.runtime import Request, View, Work, http, webhooks

END_OLD = text("""
with forgotten as (delete from inventory.alert_secrets where target = :target and ends_at is not null)
update inventory.alert_secrets set ends_at = :ends_at where target = :target and ends_at is null
""")


class RotateAlertSecret(Request):
    target: UUID


class RotatedSecret(View):
    """`secret` is shown here and never again. Until `old_ends_at` calls are signed with the old one, too."""

    target: UUID
    secret: str
    old_ends_at: datetime


# The target is locked by it, so that of two rotations at once the second ends the first one's secret.
@http("POST /v1/alert-targets/{target}/secret", status=201, role="admin", writes=[alert_secrets, alert_targets])
async def rotate_alert_secret(request: RotateAlertSecret, work: Work) -> RotatedSecret:
    """Rotated again within the day, what was old already ends at once. Raises UnknownAlertTarget, NotAWebhook."""
    target = await find_target_to_change(work, request.target)
    if target.channel != "webhook":
        raise NotAWebhook(target=str(target.id))
    secret, ends_at = webhooks.new_secret(), work.now + OLD_SECRET_LIVES
    await work.db.send(END_OLD, target=target.id, ends_at=ends_at)
    await work.db.send(ADD_SECRET, target=target.id, secret=secret, now=work.now)
    return RotatedSecret(target=target.id, secret=secret, old_ends_at=ends_at)
