"""Have stock alerts sent to a webhook or a mail address (INV-016)."""

from pydantic import StrictBool
from sqlalchemy import text

from shared.inventory.alert_tables import alert_secrets, alert_targets
from shared.inventory.alert_targets import (
    ADD_SECRET,
    COLUMNS,
    EVERY_KIND,
    Address,
    AlertTarget,
    Channel,
    Kinds,
    check_address,
)
from shared.inventory.problems import AlertTargetExists
from shared.runtime import Request, Work, http, webhooks
from shared.vocabulary import Line

KEEP = text(f"""
insert into inventory.alert_targets (id, channel, name, address, kinds, enabled, version, created_at, updated_at)
values (:id, :channel, :name, :address, :kinds, :enabled, 1, :now, :now)
on conflict (channel, address) do nothing
returning {COLUMNS}
""")  # noqa: S608 - of constants
HOLDER = text("select id from inventory.alert_targets where channel = :channel and address = :address")


class CreateAlertTarget(Request):
    """`address` is the webhook's URL, which must be of the public Internet and begin with https, or a mail address.

    Without `kinds` it is told of everything; without a `name` it is known by its channel.
    """

    channel: Channel
    address: Address
    name: Line | None = None
    kinds: Kinds = EVERY_KIND
    enabled: StrictBool = True


class CreatedAlertTarget(AlertTarget):
    """`secret` signs a webhook's calls. It is shown here and never again."""

    secret: str | None


@http("POST /v1/alert-targets", status=201, role="admin", writes=[alert_targets, alert_secrets])
async def create_alert_target(request: CreateAlertTarget, work: Work) -> CreatedAlertTarget:
    """Keeps no Idempotency-Key: its answer would be kept, and the secret in it. Sent twice, it is refused.

    Raises AddressRefused, AlertTargetExists.
    """
    check_address(request.channel, request.address)
    said = request.model_dump() | {"name": request.name or request.channel}
    row = await work.db.one(KEEP, id=work.new_id(), now=work.now, **said)
    if row is None:
        holder = await work.db.value(HOLDER, channel=request.channel, address=request.address)
        raise AlertTargetExists(target=str(holder))
    secret = webhooks.new_secret() if request.channel == "webhook" else None
    if secret is not None:
        await work.db.send(ADD_SECRET, target=row.id, secret=secret, now=work.now)
    return CreatedAlertTarget(**row._asdict(), secret=secret)
