"""A breaker between us and the provider, one for all instances: who is known to be away is not called.

Its state is read with the attempt that is about to be called, and written only when that says something new. While it
is open, attempts are unknown at once, and are asked for later. One call tries whether the provider is back.
"""

from collections.abc import Iterable

from sqlalchemy import text

from shared.payments import metrics
from shared.payments.provider import Attempt, Outcome, unknown
from shared.platform.events import BreakerClosed, BreakerOpened
from shared.runtime import Work

THRESHOLD = 10
"""So many calls in a row without an answer open it, if they fall within `WINDOW_S`."""
WINDOW_S = 30
FIRST_S, LONGEST_S = 5, 20
"""How long it stays open at first, and at most: twice as long after each try that failed."""
PROBE_S = 10
"""Whoever tries and says nothing for so long has died: another may."""

STATE = "(select b.state || ' ' || b.failures from payments.breakers b where b.name = 'provider') as breaker"
"""To be selected beside the attempts that are written."""

# The row is locked: of all who come when it is time, one wins, and the others see that it is not time any more.
TRY = text("""
update payments.breakers
set state = 'half_open', retry_at = cast(:now as timestamptz) + make_interval(secs => :probe_s)
where name = 'provider' and state <> 'closed' and retry_at <= :now
returning true
""")
FAILED = text("""
update payments.breakers b set
  failures = case when fresh then 0 else failures end + :failed,
  failing_since = case when fresh then :now else failing_since end,
  state = case when opens then 'open' else state end,
  opened_at = case when opens then coalesce(opened_at, :now) end,
  tries = case when opens then tries + 1 else tries end,
  retry_at = case when opens
    then cast(:now as timestamptz) + make_interval(secs => least(:longest_s, :first_s * 2 ^ least(tries, 8)))
    else retry_at end
from (
  select name, state as was, state = 'closed'
      and coalesce(failing_since < cast(:now as timestamptz) - make_interval(secs => :window_s), true) as fresh,
    state = 'half_open' or state = 'closed' and :failed + case
      when failing_since >= cast(:now as timestamptz) - make_interval(secs => :window_s) then failures else 0
    end >= :threshold as opens
  from payments.breakers where name = 'provider' for update
) seen
where b.name = seen.name and seen.was <> 'open'
returning seen.was, b.state, b.failures, b.retry_at
""")
FINE = text("""
update payments.breakers b
set state = 'closed', failures = 0, failing_since = null, opened_at = null, retry_at = null, tries = 0
from (select name, state as was, opened_at from payments.breakers where name = 'provider' for update) seen
where b.name = seen.name and (b.state <> 'closed' or b.failures > 0)
returning seen.was, seen.opened_at
""")


async def guard(attempts: list[Attempt], breaker: str | None, work: Work) -> list[Attempt]:
    """Lets all of them be called, or the one that tries, or none: those that are held back are unknown at once."""
    state, _, failures = (breaker or "closed 0").partition(" ")
    to_call = [attempt for attempt in attempts if attempt.decided is None]
    if not to_call:
        return attempts
    doubtful = state != "closed" or failures != "0"
    if doubtful:
        attempts = [attempt.doubted() for attempt in attempts]
    if state == "closed":
        return attempts
    tries = to_call[0].key if await may_try(work) else None
    held = [attempt.decided is None and attempt.key != tries for attempt in attempts]
    metrics.HELD_BACK.inc(sum(held))
    return [
        attempt.settled_as(unknown(attempt)) if back else attempt for attempt, back in zip(attempts, held, strict=True)
    ]


async def may_try(work: Work) -> bool:
    """Whether this is the one call that finds out; it has `PROBE_S` to say so."""
    return bool(await work.db.value(TRY, now=work.now, probe_s=PROBE_S))


async def heed(outcomes: Iterable[Outcome], work: Work) -> None:
    """Counts calls without an answer; an answer ends the count, and closes the breaker."""
    called = [outcome for outcome in outcomes if outcome.answered is not None]
    failed = sum(not outcome.answered for outcome in called)
    if any(outcome.answered and outcome.doubted for outcome in called):
        closed = await work.db.one(FINE)
        if closed is not None and closed.was != "closed":
            work.emit(BreakerClosed(name="provider", opened_at=closed.opened_at))
    elif failed and failed == len(called):
        row = await work.db.one(
            FAILED,
            now=work.now,
            failed=failed,
            threshold=THRESHOLD,
            window_s=WINDOW_S,
            first_s=FIRST_S,
            longest_s=LONGEST_S,
        )
        if row is not None and row.state == "open" and row.was == "closed":
            work.emit(BreakerOpened(name="provider", failures=row.failures, retry_at=row.retry_at))
