"""Check the books all the time, one check after the other; say when they disagree and when they agree (ORD-015)."""

from dataclasses import dataclass
from time import perf_counter

import orjson
from sqlalchemy import text

from functions import load_all
from shared.platform import metrics
from shared.platform.checking import (
    BOOKS,
    PROVIDER,
    PROVIDER_SENTENCE,
    READ,
    Compared,
    Finding,
    against_provider,
    ask_provider,
    rules,
)
from shared.platform.events import InvariantRestored, InvariantViolated
from shared.platform.invariants import CHECKS, REPORTS, TAKE_TIME
from shared.platform.tables import checks, findings
from shared.runtime import Egress, Work, timer

SENTENCES = {check.name: check.sentence for check in CHECKS} | {PROVIDER: PROVIDER_SENTENCE}

GRACE_S = 60
"""What is seen twice, so far apart, is told: nothing that is on its way is seen as long."""
ROUND_S = 300
"""How often a check is made that costs little."""
PART_OF_TIME = 0.05
"""All checks together take no more of the time than this: the larger the books, the longer a round."""
AGAIN_S = 900
"""When a check is tried again that did not come to its end."""

ADD = text("""
insert into platform.checks (name, added_at, next_at)
select name, :now, :now from unnest(cast(:names as text[])) as n (name)
on conflict do nothing
""")

# Committed before the check is made: one that cannot be made does not keep the others waiting.
CLAIM = text("""
update platform.checks set next_at = cast(:now as timestamptz) + make_interval(secs => :again_s)
where name = (
  select name from platform.checks where next_at <= :now and name = any(cast(:names as text[]))
  order by next_at, name limit 1 for update skip locked)
returning name
""")

SETTLE = text("""
update platform.checks
set checked_at = :now, took_ms = :took_ms, violations = :violations, note = :note,
  next_at = cast(:now as timestamptz) + make_interval(secs => :next_s)
where name = :name
""")

FOUND = text("""
insert into platform.findings as f (id, name, first_seen, last_seen, violations, most, examples)
values (:id, :name, :now, :now, :violations, :violations, cast(:examples as jsonb))
on conflict (name) where gone_at is null do update
  set last_seen = :now, violations = excluded.violations, most = greatest(f.most, excluded.violations),
    examples = excluded.examples
returning id, first_seen, told_at
""")

TOLD = text("update platform.findings set told_at = :now where id = :id")

GONE = text("""
update platform.findings set gone_at = :now where name = :name and gone_at is null
returning first_seen, last_seen, told_at
""")

# A check that has never come to its end is as old as it has been waited for.
STANDING = text("""
select c.name, extract(epoch from coalesce(c.checked_at, c.added_at))::float8 as checked_at,
  coalesce(c.took_ms, 0) as took_ms,
  coalesce(f.violations, 0) as violations
from platform.checks c
left join platform.findings f on f.name = c.name and f.gone_at is null and f.told_at is not null
where c.name = any(cast(:names as text[]))
""")


@dataclass(frozen=True, slots=True)
class Due:
    """`provider` is there if it is its books that are to be compared."""

    name: str
    provider: Compared | None = None


async def prepare(work: Work) -> Due | None:
    names = list(SENTENCES)
    await work.db.send(ADD, names=names, now=work.now)
    row = await work.db.one(CLAIM, names=names, now=work.now, again_s=AGAIN_S)
    if row is None:
        return None
    return Due(row.name, Compared([], await work.db.one(BOOKS)) if row.name == PROVIDER else None)


async def call(due: Due, egress: Egress) -> Due:
    return due if due.provider is None else Due(due.name, await ask_provider(due.provider, egress))


@timer(
    "*/10 * * * * *",
    prepare=prepare,
    call=call,
    reads=READ,
    writes=[checks, findings],
    emits=[InvariantViolated, InvariantRestored],
)
async def watch_invariants(outcome: Due | None, work: Work) -> None:
    """The check that has waited longest. What was found at once is told only when it is still there a minute later."""
    if outcome is not None:
        began = perf_counter()
        finding = await _checked(outcome, work)
        took_s = perf_counter() - began
        settled = await _settled(finding, work)
        rest_s = ROUND_S if settled else GRACE_S
        await work.db.send(
            SETTLE,
            name=finding.name,
            now=work.now,
            took_ms=round(took_s * 1000),
            violations=finding.violations,
            note=finding.note,
            next_s=max(rest_s, took_s * len(SENTENCES) / PART_OF_TIME),
        )
    for row in await work.db.all(STANDING, names=list(SENTENCES)):
        metrics.VIOLATIONS.labels(row.name).set(row.violations)
        metrics.CHECKED_AT.labels(row.name).set(row.checked_at)
        metrics.TOOK.labels(row.name).set(row.took_ms / 1000)


async def _checked(due: Due, work: Work) -> Finding:
    if due.provider is not None:
        return against_provider(due.provider, await work.db.one(BOOKS))
    await work.db.send(TAKE_TIME)
    row = await work.db.one(REPORTS[due.name], **rules(load_all().values()))
    assert row is not None, "a count has a row"
    sentence = SENTENCES[due.name]
    return Finding(name=due.name, sentence=sentence, violations=row.violations, examples=row.examples)


async def _settled(finding: Finding, work: Work) -> bool:
    """Whether there is nothing to be looked at again soon: what was not compared is, and what was seen once."""
    if finding.note is not None:
        return False
    if not finding.violations:
        gone = await work.db.one(GONE, name=finding.name, now=work.now)
        if gone is not None and gone.told_at is not None:
            work.emit(
                InvariantRestored(
                    name=finding.name, sentence=finding.sentence, first_seen=gone.first_seen, last_seen=gone.last_seen
                )
            )
        return True
    seen = await work.db.one(
        FOUND,
        id=work.new_id(),
        name=finding.name,
        now=work.now,
        violations=finding.violations,
        examples=orjson.dumps(finding.examples).decode(),
    )
    assert seen is not None, "it is there now, or was before"
    if seen.told_at is None and (work.now - seen.first_seen).total_seconds() >= GRACE_S:
        await work.db.send(TOLD, id=seen.id, now=work.now)
        work.emit(
            InvariantViolated(
                name=finding.name,
                sentence=finding.sentence,
                violations=finding.violations,
                first_seen=seen.first_seen,
            )
        )
        return True
    return seen.told_at is not None
