"""Send the commands again whose answers are overdue, and those that were to be tried anew (ORD-005, ORD-011)."""

from sqlalchemy import text

from shared.orders.fulfilment_tables import steps
from shared.orders.steps import COMMANDS, Kind, State, Step, StepLine, overdue
from shared.runtime import Work, timer

DUE = text("""
select id, order_id, kind, state, source, reason, created_at, deadline, lines, amount_minor, location, answer, tries,
  asked
from orders.steps where deadline <= :now order by deadline limit 100 for update skip locked
""")

ASKED_AGAIN = text("""
update orders.steps s set asked = s.asked + 1, deadline = n.deadline
from unnest(cast(:ids as uuid[]), cast(:deadlines as timestamptz[])) as n (id, deadline)
where s.id = n.id
""")


@timer("5/10 * * * * *", writes=[steps], emits=COMMANDS)
async def drive_steps(work: Work) -> None:
    """The command keeps its key: who has answered it already answers the same again."""
    due = []
    for row in await work.db.all(DUE, now=work.now):
        lines = [StepLine(**line) for line in row.lines]
        due.append(Step(**{**row._asdict(), "kind": Kind(row.kind), "state": State(row.state), "lines": lines}))
    if not due:
        return
    for step in sorted(due, key=lambda step: (step.order_id, step.created_at)):
        work.emit(step.command)
    await work.db.send(
        ASKED_AGAIN, ids=[step.id for step in due], deadlines=[work.now + overdue(step.asked) for step in due]
    )
