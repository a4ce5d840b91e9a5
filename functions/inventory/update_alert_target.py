"""Change what a target is told of stock, where, or whether at all, by JSON merge patch (INV-016)."""

from uuid import UUID

from pydantic import StrictBool
from sqlalchemy import text

from shared.inventory.alert_tables import alert_deliveries, alert_targets
from shared.inventory.alert_targets import (
    EVERY_KIND,
    Address,
    AlertTarget,
    Kinds,
    check_address,
    find_target_to_change,
    stop,
)
from shared.inventory.problems import AlertTargetExists
from shared.runtime import Request, Work, http
from shared.vocabulary import Line

CHANGE = text("""
update inventory.alert_targets
set name = :name, address = :address, kinds = :kinds, enabled = :enabled, disabled_reason = :disabled_reason,
  version = :version, updated_at = :updated_at
where id = :id
""")
HOLDER = text("""
select id from inventory.alert_targets where channel = :channel and address = :address and id <> :id
""")


class UpdateAlertTarget(Request):
    target: UUID
    expected_version: int
    name: Line = ""
    address: Address = ""
    kinds: Kinds = EVERY_KIND
    enabled: StrictBool = True


@http("PATCH /v1/alert-targets/{target}", role="admin", if_match=True, writes=[alert_targets, alert_deliveries])
async def update_alert_target(request: UpdateAlertTarget, work: Work) -> AlertTarget:
    """A patch that changes nothing makes no new version. What waits to be delivered fails when it is disabled.

    Raises UnknownAlertTarget, StaleVersion, AddressRefused, AlertTargetExists.
    """
    before = await find_target_to_change(work, request.target, request.expected_version)
    said = request.model_dump(exclude_unset=True, include={"name", "address", "kinds", "enabled"})
    after = before.model_copy(update=said)
    if after == before:
        return before
    if after.address != before.address:
        check_address(after.channel, after.address)
        if holder := await work.db.value(HOLDER, channel=after.channel, address=after.address, id=after.id):
            raise AlertTargetExists(target=str(holder))
    reason = None if after.enabled or "enabled" in said else before.disabled_reason
    after = after.model_copy(update={"version": before.version + 1, "updated_at": work.now, "disabled_reason": reason})
    await work.db.send(CHANGE, **after.model_dump(exclude={"channel", "created_at"}))
    if before.enabled and not after.enabled:
        await stop(work, [after.id], "The target was disabled.")
    return after
