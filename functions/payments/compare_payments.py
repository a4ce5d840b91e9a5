"""Go through all books of payments and the provider's by and by, and keep what differs for whoever watches."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text

from shared.payments.comparing import Ours, Theirs, ask_after, ask_of, differences, ours_after, strangers
from shared.payments.mending import remember
from shared.payments.tables import attempts, comparisons, ledger, payments
from shared.payments.tables import differences as kept_differences
from shared.runtime import Egress, Work, timer

AT_ONCE = 500

# Ours first, then theirs; then nothing for half an hour.
NEXT = text("""
select name, after from payments.comparisons
where ended_at is null or ended_at < cast(:now as timestamptz) - interval '30 minutes'
order by began_at is null, ended_at is not null, ended_at, name limit 1
""")
ADVANCE = text("""
update payments.comparisons set
  after = coalesce(:after, ''), compared = case after when '' then 0 else compared end + :compared,
  began_at = case when after = '' then cast(:now as timestamptz) else began_at end,
  ended_at = case when cast(:after as text) is null then cast(:now as timestamptz) end
where name = :name and after = :was
""")


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose books come next, and from where on."""

    name: Literal["ours", "theirs"]
    after: str
    ours: Ours | None


@dataclass(frozen=True, slots=True)
class Turned:
    turn: Turn
    theirs: Theirs


async def prepare(work: Work) -> Turn | None:
    row = await work.db.one(NEXT, now=work.now)
    if row is None:
        return None
    return Turn(row.name, row.after, await ours_after(row.after, AT_ONCE, work) if row.name == "ours" else None)


async def call(turn: Turn | None, egress: Egress) -> Turned | None:
    if turn is None:
        return None
    asked = ask_of(turn.ours, egress) if turn.ours is not None else ask_after(turn.after, AT_ONCE, egress)
    return Turned(turn, await asked)


@timer(
    "*/15 * * * * *",
    prepare=prepare,
    call=call,
    reads=[payments, attempts, ledger],
    writes=[kept_differences, comparisons],
)
async def compare_payments(outcome: Turned | None, work: Work) -> None:
    """A batch of 500 at each tick, from where the last one ended. A provider that does not answer is asked again."""
    if outcome is None or outcome.theirs.sums is None:
        return
    turn, theirs = outcome.turn, outcome.theirs
    if turn.ours is None:
        await remember((), await strangers(theirs, work), work)
        after, compared = theirs.after, len(theirs.sums or {})
    else:
        await remember(turn.ours.order_ids, await differences(theirs, work), work)
        after, compared = None if turn.ours.ended else str(turn.ours.order_ids[-1]), len(turn.ours.order_ids)
    await work.db.send(ADVANCE, name=turn.name, was=turn.after, after=after, compared=compared, now=work.now)
