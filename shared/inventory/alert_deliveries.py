"""Delivering alerts: what is due is claimed and logged, then sent, and what came of it is written.

An attempt is committed before it is made. Who dies with one in hand leaves the delivery to the next run, under the same
id: a receiver that remembers ids takes each alert once.
"""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from shared.inventory import metrics
from shared.inventory.alert_messages import body_of, subject_of, text_of
from shared.inventory.alert_targets import Channel, stop
from shared.inventory.alerts import Kind
from shared.runtime import Egress, View, Work, mail, webhooks
from shared.runtime.egress import Reached
from shared.runtime.mail import Mail

LEASE_S = 30
"""So long an attempt is its run's own: longer than any attempt and its settling."""

TRIES = 12
FIRST_WAIT_S, LONGEST_WAIT_S = 5, 6 * 3600
"""Each wait is three times the last: all tries together take about 23 hours."""

AT_ONCE, OF_A_TARGET = 20, 5
"""So many deliveries are made by one run, and so many of one target, so that a slow one holds up no other."""

GONE = 410

Outcome = Literal["delivered", "retry", "failed"]

CLAIM = text("""
with due as (
  select d.id from inventory.alert_targets t
  cross join lateral (
    select p.id, p.next_at from inventory.alert_deliveries p
    where p.target = t.id and p.status = 'pending' and p.next_at <= :now
    order by p.next_at, p.id limit :of_a_target
    for update skip locked
  ) d
  order by d.next_at, d.id limit :at_once
), claimed as (
  update inventory.alert_deliveries d
  set attempts = attempts + 1, tries = tries + 1,
    next_at = cast(:now as timestamptz) + make_interval(secs => :lease_s)
  from due where d.id = due.id
  returning d.*
), logged as (
  insert into inventory.alert_attempts (delivery, number, at) select id, attempts, :now from claimed
)
select c.id, c.target, c.attempts, c.tries, c.created_at, c.alert is null as test, a.kind, a.at, a.data,
  t.channel, t.address, t.enabled,
  array(
    select secret from inventory.alert_secrets s
    where s.target = t.id and (s.ends_at is null or s.ends_at > :now) order by s.made_at desc
  ) as secrets
from claimed c join inventory.alert_targets t on t.id = c.target left join inventory.alerts a on a.id = c.alert
order by c.id
""")

# An answer that comes after the lease counts if it is the good one; any other belongs to the attempt that came after.
SETTLE = text("""
with said as (
  select * from unnest(cast(:ids as uuid[]), cast(:numbers as int[]), cast(:outcomes as text[]),
    cast(:answers as int[]), cast(:reasons as text[]), cast(:waits as float8[]))
    as s (id, number, outcome, answer, reason, wait_s)
), logged as (
  update inventory.alert_attempts a
  set ended_at = :now, outcome = s.outcome, answer = s.answer, reason = s.reason
  from said s where a.delivery = s.id and a.number = s.number
)
update inventory.alert_deliveries d
set status = case s.outcome when 'retry' then 'pending' else s.outcome end,
  next_at = case s.outcome when 'retry' then cast(:now as timestamptz) + make_interval(secs => s.wait_s) end,
  ended_at = case s.outcome when 'retry' then null else cast(:now as timestamptz) end,
  answer = s.answer, reason = s.reason
from said s
where d.id = s.id and case s.outcome
  when 'delivered' then d.status <> 'delivered'
  else d.status = 'pending' and d.attempts = s.number
end
""")

DISABLE = text("""
update inventory.alert_targets
set enabled = false, disabled_reason = 'gone', version = version + 1, updated_at = :now
where id = any(:targets) and enabled
""")


class AlertDelivery(View):
    """`alert` and `kind` are null in a test. `answer` is the last HTTP status or SMTP code, `reason` what it meant.

    A webhook's `webhook-id`, and the first part of a mail's Message-ID, is `id`.
    """

    id: UUID
    alert: UUID | None
    kind: Kind | None
    target: UUID
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    next_at: datetime | None
    answer: int | None
    reason: str | None
    created_at: datetime
    ended_at: datetime | None


VIEW = """
select d.id, d.alert, a.kind, d.target, d.status, d.attempts, d.next_at, d.answer, d.reason, d.created_at, d.ended_at
from inventory.alert_deliveries d left join inventory.alerts a on a.id = d.alert
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One attempt, committed before it is made. `keys` sign a webhook. A test has no `kind`."""

    id: UUID
    target: UUID
    number: int
    tries: int
    channel: Channel
    address: str | None
    wanted: bool
    kind: Kind | None
    at: datetime
    data: dict[str, Any]
    keys: tuple[str, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of an attempt."""

    claimed: Claimed
    outcome: Outcome
    reached: Reached


async def claim_due(work: Work) -> list[Claimed]:
    """Takes what is due and in nobody's hands."""
    rows = await work.db.all(CLAIM, now=work.now, at_once=AT_ONCE, of_a_target=OF_A_TARGET, lease_s=LEASE_S)
    return [
        Claimed(
            id=row.id,
            target=row.target,
            number=row.attempts,
            tries=row.tries,
            channel=row.channel,
            address=row.address,
            wanted=row.enabled or row.test,
            kind=row.kind,
            at=row.created_at if row.test else row.at,
            data={"message": "Alerts reach this address."} if row.test else row.data,
            keys=tuple(row.secrets),
            now=work.now,
        )
        for row in rows
    ]


async def send_all(claimed: Iterable[Claimed], egress: Egress) -> list[Sent]:
    """All at a time: none waits for another's target."""
    return await asyncio.gather(*(_send(one, egress) for one in claimed))


async def _send(one: Claimed, egress: Egress) -> Sent:
    if one.address is None or not one.wanted:
        return Sent(one, "failed", Reached(None, "The target was disabled or deleted."))
    if one.channel == "webhook":
        body = body_of(one.kind, one.at, one.data)
        reached = await egress.post(one.address, body, webhooks.signed(str(one.id), one.now, body, one.keys))
        good, final = reached.status is not None and 200 <= reached.status < 300, reached.status == GONE
    else:
        letter = Mail(
            str(one.id), one.address, subject_of(one.kind, one.data), text_of(one.kind, one.at, one.data), one.at
        )
        reached = await mail.send(letter, egress.settings)
        # RFC 5321, section 4.2.1: what was refused with 5yz would be refused again.
        good, final = reached.status == 250, (reached.status or 0) >= 500
    outcome: Outcome = "delivered" if good else "failed" if final or one.tries >= TRIES else "retry"
    return Sent(one, outcome, reached)


async def settle(sent: list[Sent], work: Work) -> None:
    """Writes what came of the attempts; a webhook that answered 410 Gone is told nothing more."""
    if not sent:
        return
    await work.db.send(
        SETTLE,
        ids=[one.claimed.id for one in sent],
        numbers=[one.claimed.number for one in sent],
        outcomes=[one.outcome for one in sent],
        answers=[one.reached.status for one in sent],
        reasons=[one.reached.reason for one in sent],
        waits=[wait_s(one.claimed.tries, one.reached.retry_after_s) for one in sent],
        now=work.now,
    )
    gone = {one.claimed.target for one in sent if one.claimed.channel == "webhook" and one.reached.status == GONE}
    if gone:
        await work.db.send(DISABLE, targets=sorted(gone), now=work.now)
        await stop(work, sorted(gone), "The target was disabled: it answered 410 Gone.")
    for one in sent:
        metrics.ALERT_ATTEMPTS.labels(one.claimed.channel, one.outcome).inc()


def wait_s(tries: int, retry_after_s: int | None) -> float:
    """How long after so many tries the next comes, with a jitter of a fifth; not before the receiver says."""
    wait = _unshaken(tries) * random.uniform(0.8, 1.2)
    return max(wait, float(min(retry_after_s or 0, LONGEST_WAIT_S)))


def _unshaken(tries: int) -> int:
    return int(min(LONGEST_WAIT_S, FIRST_WAIT_S * 3 ** (tries - 1)))
