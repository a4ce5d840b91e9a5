"""The level of a SKU at a location, and the ledger entry without which `on_hand` does not change.

Who changes the stock of a SKU has locked all of its rows, by location. Who may add a row or changes the policy has
first locked the SKU itself: a row that is being added cannot be locked by others, nor can a SKU that has none yet.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from shared.inventory.events import StockAdjusted
from shared.inventory.problems import UnknownLocation
from shared.inventory.queries import STANDINGS
from shared.inventory.status import Standing, tell
from shared.runtime import View, Work
from shared.runtime.pipeline import Row

LocationId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._\-]{0,62}[A-Za-z0-9])?$", examples=["LON"])]
OnHand = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Note = Annotated[str, Field(max_length=2_000)]


class StockLevel(View):
    """`available` can be held; `shortfall` is what is promised and not there."""

    sku: str
    location: str
    on_hand: int
    held: int
    committed: int
    available: int
    shortfall: int
    version: int


class LedgerEntry(View):
    """`on_hand` is the level that the entry led to; `at` is when the goods moved."""

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


ENSURE = text("""
insert into inventory.stock (sku, location)
select :sku, id from inventory.locations where id = :location and closed_at is null
on conflict (sku, location) do nothing
""")

LOCKS = 0x57C  # the class of the SKUs' advisory locks

LOCK_SKU = text("select pg_advisory_xact_lock(:locks, hashtext(:sku))").bindparams(locks=LOCKS)

LOCK_ROWS = text("select from inventory.stock where sku = :sku order by location for update")

LEVEL = text("""
select s.sku, s.location, s.on_hand, s.held, s.committed, s.version
from inventory.stock s join inventory.locations l on l.id = s.location and l.closed_at is null
where s.sku = :sku and s.location = :location
""")

ENTER = text("""
with changed as (
  update inventory.stock
  set on_hand = :on_hand, shortfall = greatest(0, held + committed - :on_hand), version = version + 1
  where sku = :sku and location = :location
)
insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, note, cause, at, recorded_at)
values (:sku, :location, :delta, :on_hand, :reason, :actor, :note, :cause, :at, :now)
returning id, sku, location, delta, on_hand, reason, actor, note, at, recorded_at
""")


async def lock_sku(work: Work, sku: str) -> Standing:
    """Locks the SKU with all of its stock."""
    await work.db.send(LOCK_SKU, sku=sku)
    await work.db.send(LOCK_ROWS, sku=sku)
    (row,) = await work.db.all(STANDINGS, skus=[sku])
    return Standing(*row)


async def lock_level(work: Work, sku: str, location: str) -> tuple[Row, Standing]:
    """Locks the SKU with all of its stock, and gives the row of the location, made at need.

    Raises UnknownLocation, also for one that is closed.
    """
    await work.db.send(LOCK_SKU, sku=sku)
    await work.db.send(ENSURE, sku=sku, location=location)
    await work.db.send(LOCK_ROWS, sku=sku)
    level = work.db.enqueue(LEVEL, sku=sku, location=location)
    (standing,) = await work.db.all(STANDINGS, skus=[sku])
    row = await level.one()
    if row is None:
        raise UnknownLocation(location=location)
    return row, Standing(*standing)


async def enter(
    work: Work, before: Row, standing: Standing, delta: int, *, reason: str, note: str | None, at: datetime
) -> tuple[StockLevel, LedgerEntry]:
    """Changes the locked level by `delta`, with its ledger entry, and says so. The caller's subject is the actor."""
    level = level_of(before._replace(on_hand=before.on_hand + delta, version=before.version + 1))
    now = standing.plus(level.available - level_of(before).available)
    row = await work.db.one(
        ENTER,
        sku=level.sku,
        location=level.location,
        on_hand=level.on_hand,
        delta=delta,
        reason=reason,
        actor=work.caller.subject,
        note=note,
        cause=work.cause.correlation,
        at=at,
        now=work.now,
    )
    entry = LedgerEntry.model_validate(row, from_attributes=True)
    work.emit(
        StockAdjusted(
            **level.model_dump(),
            delta=delta,
            ledger_id=entry.id,
            reason=entry.reason,
            actor=entry.actor,
            at=entry.at,
            sku_available=now.available,
            status=now.status,
        )
    )
    tell(work, standing, now)
    return level, entry


def level_of(row: Row) -> StockLevel:
    free = row.on_hand - row.held - row.committed
    return StockLevel(
        sku=row.sku,
        location=row.location,
        on_hand=row.on_hand,
        held=row.held,
        committed=row.committed,
        available=max(0, free),
        shortfall=max(0, -free),
        version=row.version,
    )
