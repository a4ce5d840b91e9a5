"""An attempt is begun under its payment's lock and committed before the provider is called; then it is known for good.

An order has one attempt at the provider at a time: another waits for its answer, then the timer drives it on. Only a
void does not wait for what the customer should do: it ends that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import text

from shared.payments.breaker import STATE, guard
from shared.payments.events import Operation
from shared.payments.provider import Attempt, Outcome
from shared.payments.terms import TERMS, Books, Sums
from shared.runtime import Work
from shared.runtime.pipeline import Row

AT_PROVIDER = ("sending", "unknown")
FINISHED = ("succeeded", "failed")

# A process that dies with the attempt in hand leaves it to resolve_unknown_payments; 15 s is longer than any call.
_LOST = "cast(:now as timestamptz) + interval '15 seconds'"

# The usual way of an order: nothing is known of its payment yet, so there is nothing to look at and nothing to lock.
OPEN_NEW = text(f"""
with asked as (
  select * from unnest(cast(:keys as text[]), cast(:order_ids as uuid[]), cast(:amounts as bigint[]),
    cast(:currencies as text[]), cast(:tokens as text[])) as a (key, order_id, amount_minor, currency, payment_token)
), added as (
  insert into payments.payments (order_id, currency, amount_minor, created_at, updated_at)
  select order_id, currency, amount_minor, :now, :now from asked order by order_id
  on conflict do nothing returning order_id
)
insert into payments.attempts (key, order_id, operation, amount_minor, payment_token, state, next_query_at, created_at)
select key, order_id, 'authorize', amount_minor, payment_token, 'sending', {_LOST}, :now
from asked join added using (order_id)
returning key, {STATE}
""")  # noqa: S608 - of constants
ADD_PAYMENTS = text("""
insert into payments.payments as p (order_id, currency, amount_minor, created_at, updated_at)
select *, :now, :now from unnest(cast(:order_ids as uuid[]), cast(:currencies as text[]), cast(:amounts as bigint[]))
on conflict (order_id) do update set currency = excluded.currency, amount_minor = excluded.amount_minor
where p.authorized_minor = 0 and excluded.currency is not null
""")
LOCK_PAYMENTS = text("""
select * from payments.payments where order_id = any(:order_ids) order by order_id for update
""")
ATTEMPTS = text("select * from payments.attempts where order_id = any(:order_ids) order by created_at, key")
ADD_ATTEMPTS = text(f"""
insert into payments.attempts
  (key, order_id, operation, amount_minor, refund_id, reason, payment_token, provider_id, state, next_query_at,
   created_at)
select key, order_id, operation, amount_minor, refund_id, reason, payment_token, provider_id, state,
  case when state = 'waiting' then cast(:now as timestamptz) + interval '1 second' else {_LOST} end, :now
from unnest(cast(:keys as text[]), cast(:order_ids as uuid[]), cast(:operations as text[]), cast(:amounts as bigint[]),
  cast(:refund_ids as uuid[]), cast(:reasons as text[]), cast(:tokens as text[]), cast(:provider_ids as text[]),
  cast(:states as text[]))
  as a (key, order_id, operation, amount_minor, refund_id, reason, payment_token, provider_id, state)
returning {STATE}
""")  # noqa: S608 - of constants
# Entries of before there was more than one authorisation are of the first, which is the payment's.
BY_AUTHORIZATION = text("""
select order_id, id, sum(minor) filter (where move = 'authorized customer') as authorized,
  sum(minor) filter (where move = 'captured authorized') as captured,
  sum(minor) filter (where move = 'customer authorized') as voided,
  sum(minor) filter (where move = 'customer captured') as refunded,
  sum(case move when 'disputed captured' then minor else -minor end)
    filter (where move in ('disputed captured', 'captured disputed')) as disputed
from (
  select l.order_id, l.id as entry, coalesce(l.authorization_id, p.provider_id) as id,
    case when l.reversal then -l.amount_minor else l.amount_minor end as minor,
    case when l.reversal then l.credit_account || ' ' || l.debit_account
      else l.debit_account || ' ' || l.credit_account end as move
  from payments.ledger l join payments.payments p using (order_id)
  where l.order_id = any(:order_ids)
) entries
group by 1, 2 order by min(entry)
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command asks for, whichever command it is; an attempt of ours is wanted in the same words."""

    key: str
    order_id: UUID
    operation: Operation
    amount_minor: int | None
    currency: str | None = None
    payment_token: str | None = None
    refund_id: UUID | None = None
    reason: str | None = None
    provider_id: str | None = None
    state: str = "sending"


async def begin(wanted: Sequence[Wanted], work: Work) -> list[Attempt | None]:
    """For each what is to be called now: None if it waits, or was begun before and is settled."""
    fresh, breaker = await _open_new(wanted, work)
    begun = {one.key: attempt_of(one, None, heard_of=False) for one in fresh}
    rest = [one for one in wanted if one.key not in begun]
    added: list[Wanted] = []
    for one, books in await _with_books(rest, work):
        attempt, adds = _begun(one, books, added)
        added += adds
        if attempt is not None:
            begun[one.key] = attempt
    if added:
        breaker = await add(added, work)
    guarded = await guard(list(begun.values()), breaker, work)
    by_key = dict(zip(begun, guarded, strict=True))
    return [by_key.get(one.key) for one in wanted]


async def add(attempts: Sequence[Wanted], work: Work) -> str | None:
    """Writes them, and gives what is known of the breaker."""
    state: str | None = await work.db.value(
        ADD_ATTEMPTS,
        keys=[one.key for one in attempts],
        order_ids=[one.order_id for one in attempts],
        operations=[one.operation for one in attempts],
        amounts=[one.amount_minor for one in attempts],
        refund_ids=[one.refund_id for one in attempts],
        reasons=[one.reason for one in attempts],
        tokens=[one.payment_token for one in attempts],
        provider_ids=[one.provider_id for one in attempts],
        states=[one.state for one in attempts],
        now=work.now,
    )
    return state


async def books_of(order_ids: Iterable[UUID], work: Work) -> dict[UUID, Books]:
    """Locks the payments, in the order of their keys, as everywhere; then reads what is known of them."""
    ids = sorted(set(order_ids))
    locked = work.db.enqueue(LOCK_PAYMENTS, order_ids=ids)
    known: dict[UUID, list[Row]] = {id: [] for id in ids}
    for row in await work.db.all(ATTEMPTS, order_ids=ids):
        known[row.order_id].append(row)
    payments = {row.order_id: row for row in await locked.all()}
    several = [id for id in payments if sum(_is_authorisation(row) for row in known[id]) > 1]
    sums: dict[UUID, list[Sums]] = {}
    if several:
        for row in await work.db.all(BY_AUTHORIZATION, order_ids=several):
            figures = (int(row[n] or 0) for n in range(2, 7))
            sums.setdefault(row.order_id, []).append(Sums(row.id, *figures))
    return {
        id: Books(payment, known[id], _current_last(payment, sums.get(id) or [_whole(payment)]))
        for id, payment in payments.items()
    }


def attempt_of(asked: Wanted | Row, books: Books | None, *, heard_of: bool) -> Attempt:
    """What is to be called, or what is decided already. Without `books` nothing was known of the order before."""
    if books is None:
        amount_minor, refusal, provider_id, currency = asked.amount_minor or 0, None, None, asked.currency
    else:
        terms = TERMS[asked.operation](books, asked)
        amount_minor, refusal, currency = terms.amount_minor, terms.refusal, books.payment.currency
        provider_id = asked.provider_id or terms.provider_id
        action = action_of(books)
        if asked.operation == "void" and action is not None and asked.provider_id in (None, action.provider_id):
            return Attempt(
                key=asked.key,
                order_id=asked.order_id,
                operation="void",
                amount_minor=0,
                currency=currency,
                provider_id=action.provider_id,
                heard_of=heard_of,
                ends_action=True,
            )
    decided = None
    if refusal is not None:
        decided = Outcome(asked.key, asked.order_id, "failed", amount_minor, code=refusal)
    elif amount_minor == 0:
        decided = Outcome(asked.key, asked.order_id, "succeeded", 0)
    return Attempt(
        key=asked.key,
        order_id=asked.order_id,
        operation=asked.operation,
        amount_minor=amount_minor,
        currency=currency,
        payment_token=asked.payment_token,
        provider_id=provider_id,
        heard_of=heard_of,
        decided=decided,
    )


def action_of(books: Books) -> Row | None:
    """The attempt for which the customer must do something, and has not."""
    return next((row for row in books.attempts if row.state == "action"), None)


def ending(action: Row, books: Books) -> Wanted:
    """The void by which payments itself ends what the customer should have done, for the sake of another card."""
    before = sum(row.key.startswith(f"{action.key}/cancel") for row in books.attempts)
    key = f"{action.key}/cancel/{before + 1}" if before else f"{action.key}/cancel"
    return Wanted(key, action.order_id, "void", None, provider_id=action.provider_id)


def is_same(known: Row, wanted: Wanted) -> bool:
    if known.key == wanted.key:
        return True
    return wanted.refund_id is not None and known.refund_id == wanted.refund_id and known.state != "failed"


async def _open_new(wanted: Sequence[Wanted], work: Work) -> tuple[list[Wanted], str | None]:
    first = {one.order_id: one for one in reversed(wanted) if one.operation == "authorize"}
    if not first:
        return [], None
    asked = list(first.values())
    rows = await work.db.all(
        OPEN_NEW,
        keys=[one.key for one in asked],
        order_ids=[one.order_id for one in asked],
        amounts=[one.amount_minor for one in asked],
        currencies=[one.currency for one in asked],
        tokens=[one.payment_token for one in asked],
        now=work.now,
    )
    keys = {row.key for row in rows}
    return [one for one in asked if one.key in keys], rows[0].breaker if rows else None


async def _with_books(wanted: Sequence[Wanted], work: Work) -> list[tuple[Wanted, Books]]:
    if not wanted:
        return []
    new = [one for one in wanted if one.operation in ("authorize", "void")]
    books = {}
    if not new:
        books = await books_of([one.order_id for one in wanted], work)
        new = [one for one in wanted if one.order_id not in books]
    if new:
        once = {one.order_id: one for one in sorted(new, key=lambda one: (one.order_id, one.currency is not None))}
        await work.db.send(
            ADD_PAYMENTS,
            order_ids=list(once),
            currencies=[one.currency for one in once.values()],
            amounts=[(one.amount_minor or 0) if one.currency else 0 for one in once.values()],
            now=work.now,
        )
        books = await books_of([one.order_id for one in wanted], work)
    return [(one, books[one.order_id]) for one in wanted]


def _begun(wanted: Wanted, books: Books, added: Sequence[Wanted]) -> tuple[Attempt | None, list[Wanted]]:
    """What is called, and what is to be written before; `added` was begun for others in the same transaction."""
    known = [*books.attempts, *(one for one in added if one.order_id == wanted.order_id)]
    if same := next((row for row in known if is_same(row, wanted)), None):
        return (attempt_of(same, books, heard_of=True) if same.state in AT_PROVIDER else None), []
    unfinished = [row for row in known if row.state not in FINISHED]
    action = action_of(books)
    if action is not None and len(unfinished) == 1:
        if wanted.operation == "void":
            ends = replace(wanted, provider_id=action.provider_id)
            return attempt_of(ends, books, heard_of=False), [ends]
        if wanted.operation == "authorize":
            ends = ending(action, books)
            return attempt_of(ends, books, heard_of=False), [ends, replace(wanted, state="waiting")]
    if unfinished:
        return None, [replace(wanted, state="waiting")]
    attempt = attempt_of(wanted, books, heard_of=False)
    return attempt, [replace(wanted, provider_id=attempt.provider_id)]


def _is_authorisation(row: Row) -> bool:
    return bool(row.operation == "authorize" and row.state == "succeeded" and row.amount_minor)


def _whole(payment: Row) -> Sums:
    return Sums(
        payment.provider_id,
        payment.authorized_minor,
        payment.captured_minor,
        payment.voided_minor,
        payment.refunded_minor,
        payment.disputed_minor + payment.lost_minor,
    )


def _current_last(payment: Row, sums: list[Sums]) -> list[Sums]:
    return sorted(sums, key=lambda one: one.id == payment.provider_id)
