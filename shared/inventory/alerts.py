"""Stock alerts: which events raise which, and that each is raised once in an episode.

An episode is the time from the first bad news of a SKU, or of a SKU at a location with a threshold of its own, to the
good one. Stock that goes up and down meanwhile raises nothing twice.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.inventory import metrics
from shared.inventory.events import (
    LevelDepleted,
    LevelLow,
    LevelReplenished,
    StockDepleted,
    StockLow,
    StockReplenished,
    StockShortfall,
)
from shared.runtime import View, Work

Kind = Literal["low", "out", "back_in_stock", "shortfall", "made_good"]
About = Literal["level", "shortfall"]
News = StockLow | StockDepleted | StockReplenished | LevelLow | LevelDepleted | LevelReplenished | StockShortfall


class Rule(NamedTuple):
    """`opens` an episode if none is open, or else raises its alert at the end of one."""

    events: tuple[type[News], ...]
    when: Callable[[Any], bool]
    about: About
    kind: Kind
    opens: bool


def _always(_: News) -> bool:
    return True


def _enough(event: StockReplenished | LevelReplenished) -> bool:
    return event.status == "in_stock"


def _short(event: StockShortfall) -> bool:
    return event.shortfall > 0


def _covered(event: StockShortfall) -> bool:
    return event.shortfall == 0


RULES = (
    # on the events                             when      about        raise            and
    Rule((StockLow, LevelLow),                  _always,  "level",     "low",           opens=True),
    Rule((StockDepleted, LevelDepleted),        _always,  "level",     "out",           opens=True),
    Rule((StockReplenished, LevelReplenished),  _enough,  "level",     "back_in_stock", opens=False),
    Rule((StockShortfall,),                     _short,   "shortfall", "shortfall",     opens=True),
    Rule((StockShortfall,),                     _covered, "shortfall", "made_good",     opens=False),
)  # fmt: skip
"""More stock, but not enough, raises nothing: the episode goes on."""

# Locks the watch, and gives no row where what was heard is newer.
HEAR = text("""
insert into inventory.alert_watches as w (sku, location, about, sequence)
values (:sku, cast(:location as text), :about, :sequence)
on conflict (sku, location, about) do update set sequence = excluded.sequence where w.sequence < excluded.sequence
returning id, episode, open
""")

BEGIN = text("update inventory.alert_watches set open = true, episode = episode + 1 where id = :watch")

RAISE = text("""
with raised as (
  insert into inventory.alerts (id, watch, episode, kind, data, at, raised_at)
  values (:id, :watch, :episode, :kind, cast(:data as jsonb), :at, :now)
  on conflict (watch, episode, kind) do nothing
  returning id, kind
), told as (
  insert into inventory.alert_deliveries (id, alert, target, status, next_at, created_at, asked_at)
  select gen_random_uuid(), r.id, t.id, 'pending', :now, :now, :now
  from raised r join inventory.alert_targets t on t.enabled and r.kind = any(t.kinds)
)
select id from raised
""")

END = text("""
with ended as (update inventory.alert_watches set open = false where id = :watch)
update inventory.alerts set closed_at = :now where watch = :watch and episode = :episode
""")


class Alert(View):
    """`data` is what was told of it. It is `closed_at` when its episode ended."""

    id: UUID
    kind: Kind
    sku: str
    location: str | None
    at: datetime
    raised_at: datetime
    closed_at: datetime | None
    data: dict[str, Any]


async def hear(event: News, work: Work) -> None:
    """Raises what the event gives reason to, for every target that wants it; nothing, if a newer one was heard."""
    rules = [rule for rule in RULES if isinstance(event, rule.events)]
    rule = next((rule for rule in rules if rule.when(event)), None)
    watch = await work.db.one(
        HEAR,
        sku=event.sku,
        location=getattr(event, "location", None),
        about=rules[0].about,
        sequence=work.cause.sequence,
    )
    if watch is None or rule is None or not (watch.open or rule.opens):
        return
    if not watch.open:
        await work.db.send(BEGIN, watch=watch.id)
    episode = watch.episode if watch.open else watch.episode + 1
    raised = await work.db.value(
        RAISE,
        id=work.new_id(),
        watch=watch.id,
        episode=episode,
        kind=rule.kind,
        data=orjson.dumps(event.model_dump(mode="json")).decode(),
        at=work.cause.at or work.now,
        now=work.now,
    )
    if raised is not None:
        metrics.ALERTS.labels(rule.kind).inc()
    if not rule.opens:
        await work.db.send(END, watch=watch.id, episode=episode, now=work.now)
