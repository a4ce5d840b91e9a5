"""Watch all functions: tell which come and go, fail, flap, and are well again (PLAT-001, PLAT-006)."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text

from shared.platform import function_metrics as metrics
from shared.platform.events import FunctionDeregistered, FunctionRecovered, FunctionRegistered, FunctionUnhealthy
from shared.platform.registry import Health, Registered, RegistryAway, registered
from shared.platform.standing import Standing, first, judged
from shared.platform.tables import functions
from shared.runtime import Egress, Work, timer
from shared.runtime.log import logger
from shared.runtime.pipeline import Row

KNOWN = text("""
select name, registered_at, ready, held_since, changes, status, since from platform.functions order by name for update
""")

SEEN = text("""
insert into platform.functions
select * from json_populate_recordset(null::platform.functions, cast(:rows as json))
on conflict (name) do update
  set domain = excluded.domain, trigger = excluded.trigger, revision = excluded.revision, seen_at = excluded.seen_at,
    ready = excluded.ready, reason = excluded.reason, message = excluded.message,
    held_since = excluded.held_since, changes = excluded.changes,
    status = excluded.status, since = excluded.since
""")

GONE = text("delete from platform.functions where name = any(cast(:names as text[]))")


async def prepare(_work: Work) -> bool:
    return True


async def call(_attempt: bool, egress: Egress) -> list[Registered] | None:
    try:
        return await registered(egress)
    except RegistryAway as away:
        logger().warning("functions_not_listed", reason=str(away))
        return None


@timer(
    "*/15 * * * * *",
    prepare=prepare,
    call=call,
    writes=[functions],
    emits=[FunctionRegistered, FunctionDeregistered, FunctionUnhealthy, FunctionRecovered],
    discovers=True,
)
async def watch_functions(outcome: list[Registered] | None, work: Work) -> None:
    """When the list cannot be had, nothing is concluded from that but that it cannot be had."""
    metrics.LISTED.set(outcome is not None)
    if outcome is None:
        return
    known = {row.name: row for row in await work.db.all(KNOWN)}
    rows = [_looked_at(one, known.get(one.name), work) for one in outcome]
    gone = sorted(known.keys() - {row["name"] for row in rows})
    for name in gone:
        work.emit(FunctionDeregistered(name=name, registered_at=known[name].registered_at))
    if gone:
        await work.db.send(GONE, names=gone)
    if rows:
        await work.db.send(SEEN, rows=orjson.dumps(rows).decode())
    for status in metrics.STATUSES:
        metrics.FUNCTIONS.labels(status).set(sum(row["status"] == status for row in rows))
    metrics.unhealthy({row["name"] for row in rows if row["status"] != "healthy"}, gone)


def _looked_at(one: Registered, before: Row | None, work: Work) -> dict[str, Any]:
    """The row of one function; what is to be told of it is emitted."""
    health, now = one.health, work.now
    domain, trigger = one.labels.get("kn-shop/domain", ""), one.labels.get("kn-shop/trigger", "")
    revision = one.status.get("latestReadyRevisionName")
    if before is None:
        standing = first(ready=health.ready is not False, now=now)
        work.emit(FunctionRegistered(name=one.name, domain=domain, trigger=trigger, revision=revision))
    else:
        was = Standing(before.ready, before.held_since, tuple(before.changes), before.status, before.since)
        standing = judged(was, before.ready if health.ready is None else health.ready, now)
        _tell(one.name, health, was, standing, work)
    return {
        "name": one.name,
        "domain": domain,
        "trigger": trigger,
        "revision": revision,
        "registered_at": _registered_at(before, now),
        "seen_at": now,
        "ready": standing.ready,
        "reason": health.reason,
        "message": health.message,
        "held_since": standing.held_since,
        "changes": standing.changes,
        "status": standing.status,
        "since": standing.since,
    }


def _registered_at(before: Row | None, now: datetime) -> datetime:
    return now if before is None else before.registered_at


def _tell(name: str, health: Health, was: Standing, standing: Standing, work: Work) -> None:
    if standing.status == was.status:
        return
    if standing.status == "healthy":
        assert was.status != "healthy"
        work.emit(FunctionRecovered(name=name, kind=was.status, since=was.since))
    else:
        work.emit(
            FunctionUnhealthy(
                name=name, kind=standing.status, reason=health.reason, message=health.message, since=standing.since
            )
        )
