"""What nobody has finished in time is taken up again: one run claims it, however many come."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from shared.payments.attempts import FINISHED, action_of, add, attempt_of, books_of, ending
from shared.payments.breaker import guard
from shared.payments.provider import Attempt
from shared.payments.terms import Books
from shared.runtime import Work
from shared.runtime.pipeline import Row

MOST = 50

# Payments are locked before their attempts, here as everywhere; what another run has in hand is skipped.
CLAIM = text("""
with due as (
  select a.key from payments.attempts a join payments.payments p on p.order_id = a.order_id
  where a.next_query_at <= :now order by a.next_query_at limit :most
  for update of p skip locked
)
update payments.attempts a
set queries = a.queries + 1, next_query_at = cast(:now as timestamptz) + interval '1 second' *
  case when a.state = 'waiting' then 1 else least(30, 5 * 2 ^ least(a.queries, 3)) end
from due where a.key = due.key
returning a.key, a.order_id
""")
SEND_WAITING = text("update payments.attempts set state = 'sending' where key = any(:keys) and state = 'waiting'")
BREAKER = text("select state || ' ' || failures as state from payments.breakers where name = 'provider'")


async def claim_due(work: Work) -> list[Attempt]:
    """Takes up to 50 attempts that nobody has finished in time, and those that waited for another of their order."""
    due: dict[UUID, set[str]] = {}
    for row in await work.db.all(CLAIM, now=work.now, most=MOST):
        due.setdefault(row.order_id, set()).add(row.key)
    if not due:
        return []
    breaker = await work.db.value(BREAKER)
    claimed, sent, ends = [], [], []
    for order_id, books in (await books_of(due, work)).items():
        for row in _next(books, due[order_id]):
            if row.state != "waiting":
                claimed.append(attempt_of(row, books, heard_of=True))
            elif row.operation != "void" and (action := action_of(books)):
                wanted = ending(action, books)
                ends.append(wanted)
                claimed.append(attempt_of(wanted, books, heard_of=False))
            else:
                sent.append(row.key)
                claimed.append(attempt_of(row, books, heard_of=False))
    if sent:
        await work.db.send(SEND_WAITING, keys=sent)
    if ends:
        await add(ends, work)
    return await guard(claimed, breaker, work)


def _next(books: Books, due: set[str]) -> Sequence[Row]:
    """All that are at the provider; of those that wait the first, once nothing but the customer is waited for."""
    unfinished = [row for row in books.attempts if row.state not in FINISHED]
    at_provider = [row for row in unfinished if row.state != "waiting"]
    chosen = [row for row in at_provider if row.key in due]
    if all(row.state == "action" for row in at_provider):
        waiting = next((row for row in unfinished if row.state == "waiting"), None)
        # Another card takes the place of what the customer should do; a capture has to wait for it.
        goes = waiting is not None and (not at_provider or waiting.operation in ("void", "authorize"))
        if waiting is not None and goes and waiting.key in due:
            return [waiting]
    return chosen
