"""The ledger, without an entry of which `on_hand` does not change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import text

from shared.inventory.events import LevelChanged, StockAdjusted, StockReceived, StockShipped, StockTransferred
from shared.inventory.items import Items, Level
from shared.inventory.status import STATUS_EVENTS, status_now, tell
from shared.runtime import Event, View, Work
from shared.runtime.problems import ValidationFailed

Reason = Literal[
    "received",
    "returned",
    "found",
    "damaged",
    "lost",
    "stolen",
    "expired",
    "sampled",
    "correction",
    "recount",
    "opening",
]
"""Why somebody changes a level by hand."""

Cause = Literal[Reason, "shipped", "transfer_out", "transfer_in", "transfer_back", "reconciliation"]
"""Why a level changes at all."""

REASONS: tuple[Reason, ...] = get_args(Reason)

SAID_OF: dict[str, type[StockReceived | StockShipped | StockTransferred]] = {
    "received": StockReceived,
    "returned": StockReceived,
    "shipped": StockShipped,
    "transfer_out": StockTransferred,
    "transfer_in": StockTransferred,
    "transfer_back": StockTransferred,
}
"""Any other reason is an adjustment."""

LEDGER_EVENTS = (StockAdjusted, StockReceived, StockTransferred, StockShipped, *STATUS_EVENTS)
"""What whoever writes to the ledger may have to tell."""


class LedgerEntry(View):
    """`on_hand` is the level that the entry led to; `at` is when the goods moved, `recorded_at` when it was known.

    `event` is the CloudEvent that made the entry, `cause` the correlation id of all that came of one request;
    `order_id` is the order for which goods left, `transfer` the transfer that they are part of.
    """

    id: int
    sku: str
    location: str
    delta: int
    on_hand: int
    reason: str
    actor: str
    note: str | None
    at: datetime
    recorded_at: datetime
    cause: str | None
    event: str | None
    order_id: UUID | None
    transfer: UUID | None


@dataclass(frozen=True, slots=True)
class Change:
    """Of a level that is locked. Of the units that leave, `committed` were promised to the order.

    `at` is when the goods moved, now if None.
    """

    level: Level
    delta: int
    reason: Cause
    note: str | None = None
    at: datetime | None = None
    committed: int = 0
    order_id: UUID | None = None
    transfer: UUID | None = None


# A level may change several times: what it led to each time is what it led to at last, less what came after. Times of
# entries follow each other as the entries do: the moment of a transaction is before the wait for its lock.
ENTER = text("""
with changes as (
  select * from unnest(
    cast(:skus as text[]), cast(:locations as text[]), cast(:deltas as bigint[]), cast(:committed as bigint[]),
    cast(:reasons as text[]), cast(:notes as text[]), cast(:ats as timestamptz[]), cast(:orders as uuid[]),
    cast(:transfers as uuid[])
  ) with ordinality as c (sku, location, delta, committed, reason, note, at, order_id, transfer, n)
), changed as (
  update inventory.stock s
  set on_hand = s.on_hand + c.delta, committed = s.committed - c.committed,
    shortfall = greatest(0, s.held + s.committed - c.committed - s.on_hand - c.delta - s.backorder_limit),
    version = s.version + c.entries, changed_at = greatest(s.changed_at, :now)
  from (
    select sku, location, sum(delta)::bigint as delta, sum(committed)::bigint as committed, count(*)::int as entries
    from changes group by sku, location
  ) c
  where s.sku = c.sku and s.location = c.location
  returning s.sku, s.location, s.on_hand, s.changed_at
)
insert into inventory.ledger
  (sku, location, delta, on_hand, reason, actor, note, cause, event, order_id, transfer, at, recorded_at)
select c.sku, c.location, c.delta, d.on_hand - coalesce(sum(c.delta) over later, 0)::bigint, c.reason, :actor, c.note,
  :cause, :event, c.order_id, c.transfer, coalesce(c.at, d.changed_at), d.changed_at
from changes c join changed d on d.sku = c.sku and d.location = c.location
window later as (partition by c.sku, c.location order by c.n rows between 1 following and unbounded following)
order by c.n
returning id, sku, location, delta, on_hand, reason, actor, note, at, recorded_at, cause, event, order_id, transfer
""")


def check_past(work: Work, at: datetime | None) -> None:
    """Raises ValidationFailed where goods are said to move in the future."""
    if at is not None and at > work.now:
        raise ValidationFailed(errors=[{"pointer": "/at", "detail": "This is in the future."}])


async def book(work: Work, items: Items, changes: Sequence[Change]) -> list[LedgerEntry]:
    """Enters the changes in their order, and says so, and what it means for the status of the SKUs.

    The items are locked and hold the levels. The caller is the actor. An entry comes for each change. What is said of a
    level is as of its entry, what is said of a SKU as of all changes.
    """
    rows = await work.db.all(
        ENTER,
        skus=[change.level.sku for change in changes],
        locations=[change.level.location for change in changes],
        deltas=[change.delta for change in changes],
        committed=[change.committed for change in changes],
        reasons=[change.reason for change in changes],
        notes=[change.note for change in changes],
        ats=[change.at for change in changes],
        orders=[change.order_id for change in changes],
        transfers=[change.transfer for change in changes],
        actor=work.caller.subject,
        cause=work.cause.correlation,
        event=work.cause.causation,
        now=work.now,
    )
    assert len(rows) == len(changes), "each change is of a level, which is there"
    led_to = []
    for change in changes:
        change.level.on_hand += change.delta
        change.level.committed -= change.committed
        change.level.version += 1
        led_to.append(replace(change.level))
    entries = [LedgerEntry.model_validate(row, from_attributes=True) for row in rows]
    for level, entry in zip(led_to, entries, strict=True):
        work.emit(_said_of(items, level, entry))
    await tell(work, (items[sku] for sku in dict.fromkeys(entry.sku for entry in entries)))
    return entries


def _said_of(items: Items, level: Level, entry: LedgerEntry) -> Event:
    kind: type[LevelChanged] = SAID_OF.get(entry.reason, StockAdjusted)
    item = items[level.sku]
    event = kind(
        sku=level.sku,
        location=level.location,
        delta=entry.delta,
        on_hand=level.on_hand,
        held=level.held,
        committed=level.committed,
        available=level.available,
        shortfall=level.shortfall,
        version=level.version,
        ledger_id=entry.id,
        reason=entry.reason,
        actor=entry.actor,
        at=entry.at,
        sku_available=item.available,
        status=status_now(item),
        order_id=entry.order_id,
        transfer=entry.transfer,
    )
    assert isinstance(event, Event)
    return event
