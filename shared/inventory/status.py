"""What is told of a SKU's stock to those who sell it: the rule, and the event of every change."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text

from shared.inventory.events import (
    LevelDepleted,
    LevelLow,
    LevelReplenished,
    StockDepleted,
    StockLow,
    StockReplenished,
    StockShortfall,
    StockStatus,
)
from shared.inventory.items import Item, Level
from shared.inventory.queries import TOUCHED
from shared.runtime import Work

STATUS_EVENTS = (StockLow, StockDepleted, StockReplenished, LevelLow, LevelDepleted, LevelReplenished, StockShortfall)
"""What whoever changes stock may have to tell."""

RANK: dict[StockStatus, int] = {"out_of_stock": 0, "backorder": 1, "low": 2, "in_stock": 3}

KEEP = text("""
with skus as (
  update inventory.items i set status = n.status
  from unnest(cast(:skus as text[]), cast(:statuses as text[])) as n (sku, status)
  where i.sku = n.sku
)
update inventory.stock s set status = n.status
from unnest(cast(:level_skus as text[]), cast(:level_locations as text[]), cast(:level_statuses as text[]))
  as n (sku, location, status)
where s.sku = n.sku and s.location = n.location
""")

TOUCHED_AT_MOST = 100


def enough_at(low_at: int) -> int:
    """So many must be available before what was low is not: more than the threshold by one and a fifth of it.

    In between nothing is told: stock that goes up and down around the threshold would be news each time.
    """
    return low_at + 1 + low_at // 5


def status_of(*, tracked: bool, low_at: int, available: int, promisable: int, was: StockStatus) -> StockStatus:
    if not tracked:
        return "in_stock"
    if available <= 0:
        return "backorder" if promisable > 0 else "out_of_stock"
    if available <= low_at or (was == "low" and available < enough_at(low_at)):
        return "low"
    return "in_stock"


def status_now(item: Item) -> StockStatus:
    return status_of(
        tracked=item.tracked,
        low_at=item.low_at,
        available=item.available,
        promisable=item.promisable,
        was=item.status,
    )


def _status_at(level: Level, low_at: int) -> StockStatus:
    return status_of(
        tracked=True, low_at=low_at, available=level.available, promisable=level.promisable, was=level.status
    )


def crossing(item: Item) -> StockLow | StockDepleted | StockReplenished | None:
    """What has happened to the SKU, if its status is another one now."""
    now, was = status_now(item), item.status
    if now == was:
        return None
    if RANK[now] > RANK[was]:
        kind: type[StockLow | StockDepleted | StockReplenished] = StockReplenished
    else:
        kind = StockLow if now == "low" else StockDepleted
    return kind(sku=item.sku, status=now, was=was, available=item.available, low_at=item.low_at)


def crossing_at(level: Level) -> LevelLow | LevelDepleted | LevelReplenished | None:
    """The same of a location, if it has a threshold of its own."""
    if level.low_at is None:
        return None
    now, was = _status_at(level, level.low_at), level.status
    if now == was:
        return None
    if RANK[now] > RANK[was]:
        kind: type[LevelLow | LevelDepleted | LevelReplenished] = LevelReplenished
    else:
        kind = LevelLow if now == "low" else LevelDepleted
    return kind(
        sku=level.sku,
        location=level.location,
        status=now,
        was=was,
        available=level.available,
        low_at=level.low_at,
    )


async def tell(work: Work, items: Iterable[Item]) -> None:
    """Says what has become of items that this transaction has locked and changed, and keeps what it said.

    They are locked: so that nobody tells the same, and nobody else's.
    """
    skus: dict[str, StockStatus] = {}
    levels: dict[tuple[str, str], StockStatus] = {}
    items = list(items)
    touched = await _touched(work, (level for item in items for level in item.levels))
    for item in items:
        if event := crossing(item):
            work.emit(event)
            skus[item.sku] = item.status = event.status
        for level in item.levels:
            if crossed := crossing_at(level):
                work.emit(crossed)
                levels[level.sku, level.location] = level.status = crossed.status
            if level.shortfall != level.was_short:
                orders = tuple(touched.get((level.sku, level.location), ()))
                told = StockShortfall(sku=level.sku, location=level.location, shortfall=level.shortfall, orders=orders)
                work.emit(told)
                level.was_short = level.shortfall
    if skus or levels:
        await work.db.send(
            KEEP,
            skus=list(skus),
            statuses=list(skus.values()),
            level_skus=[sku for sku, _ in levels],
            level_locations=[location for _, location in levels],
            level_statuses=list(levels.values()),
        )


async def _touched(work: Work, levels: Iterable[Level]) -> dict[tuple[str, str], list[UUID]]:
    """The orders that must wait at levels whose shortfall is another one now."""
    changed = [level for level in levels if level.shortfall not in (0, level.was_short)]
    if not changed:
        return {}
    rows = await work.db.all(
        TOUCHED,
        skus=[level.sku for level in changed],
        locations=[level.location for level in changed],
        covered=[level.on_hand + level.backorder_limit for level in changed],
        count=TOUCHED_AT_MOST,
    )
    touched: dict[tuple[str, str], list[UUID]] = {}
    for row in rows:
        touched.setdefault((row.sku, row.location), []).append(row.order_id)
    return touched
