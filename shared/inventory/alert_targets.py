"""Who is told of stock alerts: by webhook or by mail, and of which kinds."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlalchemy import text

from shared.inventory.alerts import Kind
from shared.inventory.problems import AddressRefused, UnknownAlertTarget
from shared.runtime import View, Work
from shared.runtime.egress import fault_of
from shared.runtime.problems import StaleVersion
from shared.runtime.settings import settings

Channel = Literal["webhook", "mail"]

OLD_SECRET_LIVES = timedelta(hours=24)

# What every mail server takes: no quotes, no comments, and nothing outside ASCII (RFC 5322, dot-atom).
_atom = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_mail = re.compile(rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_atom}(\.{_atom})*@{_label}(\.{_label})+").fullmatch


def _each_once(kinds: list[Kind]) -> list[Kind]:
    return sorted(set(kinds))


Kinds = Annotated[list[Kind], Field(min_length=1, max_length=20), AfterValidator(_each_once)]
Address = Annotated[
    str, Field(min_length=1, max_length=2_000, examples=["https://hooks.example.com/stock", "stock@example.com"])
]

EVERY_KIND: list[Kind] = ["back_in_stock", "low", "made_good", "out", "shortfall"]


class AlertTarget(View):
    """`disabled_reason` says why it was disabled, where it was the shop that did: `gone` after an answer 410."""

    id: UUID
    channel: Channel
    name: str
    address: str
    kinds: list[Kind]
    enabled: bool
    disabled_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime


COLUMNS = "id, channel, name, address, kinds, enabled, disabled_reason, version, created_at, updated_at"

BY_ID = text(f"select {COLUMNS} from inventory.alert_targets where id = :id and deleted_at is null")  # noqa: S608
TO_CHANGE = text(f"{BY_ID.text} for update")

ADD_SECRET = text("insert into inventory.alert_secrets (target, secret, made_at) values (:target, :secret, :now)")

# What is on its way to somebody who wants no more is not kept until he does: it can be asked for again.
STOP = text("""
update inventory.alert_deliveries set status = 'failed', reason = :reason, next_at = null, ended_at = :now
where target = any(:targets) and status = 'pending' and (alert is not null or cast(:tests as boolean))
""")


async def find_target(work: Work, id: UUID) -> AlertTarget:
    """Raises UnknownAlertTarget."""
    row = await work.db.one(BY_ID, id=id)
    if row is None:
        raise UnknownAlertTarget(target=str(id))
    return AlertTarget.model_validate(row, from_attributes=True)


async def find_target_to_change(work: Work, id: UUID, expected_version: int | None = None) -> AlertTarget:
    """The target, locked. Raises UnknownAlertTarget, StaleVersion."""
    row = await work.db.one(TO_CHANGE, id=id)
    if row is None:
        raise UnknownAlertTarget(target=str(id))
    if expected_version not in (None, row.version):
        raise StaleVersion(current_version=row.version)
    return AlertTarget.model_validate(row, from_attributes=True)


async def stop(work: Work, targets: Sequence[UUID], reason: str, *, tests: bool = False) -> None:
    """Gives up what is still to be delivered to `targets`."""
    await work.db.send(STOP, targets=list(targets), reason=reason, tests=tests, now=work.now)


def check_address(channel: Channel, address: str) -> None:
    """Raises AddressRefused for what can be told already; it is looked at again whenever it is called."""
    if channel == "webhook":
        fault = fault_of(address, guard=settings().egress_guard)
    else:
        fault = None if _mail(address) else "it is not a plain mail address, such as stock@example.com"
    if fault is not None:
        raise AddressRefused(reason=fault)
