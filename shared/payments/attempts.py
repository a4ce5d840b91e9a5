"""The life of an attempt: begun under a lock before the provider is called, driven on by key, settled exactly once."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from shared.payments.events import (
    CaptureFailed,
    Operation,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    RefundFailed,
    RefundSucceeded,
    VoidFailed,
)
from shared.payments.provider import Attempt, Outcome
from shared.payments.terms import TERMS
from shared.runtime import Event, Work
from shared.runtime.pipeline import Row

OPEN = ("sending", "unknown")
FINISHED = ("succeeded", "failed")

ADD_PAYMENT = text("""
insert into payments.payments as p (order_id, currency, amount_minor, created_at, updated_at)
values (:order_id, :currency, :amount_minor, :now, :now)
on conflict (order_id) do update set currency = excluded.currency, amount_minor = excluded.amount_minor
where p.authorized_minor = 0 and excluded.currency is not null
""")
LOCK_PAYMENT = text("select * from payments.payments where order_id = :order_id for update")
ATTEMPTS = text("""
select a.*, p.currency from payments.attempts a join payments.payments p using (order_id)
where order_id = :order_id order by a.created_at, key
""")
# A process that dies with the attempt in hand leaves it to resolve_unknown_payments; 15 s is longer than any call.
ADD_ATTEMPT = text("""
insert into payments.attempts
  (key, order_id, operation, amount_minor, refund_id, reason, payment_token, state, next_query_at, created_at)
values
  (:key, :order_id, :operation, cast(:amount_minor as bigint), cast(:refund_id as uuid), :reason, :payment_token,
   :state, cast(:now as timestamptz) + interval '1 second' * case when :state = 'waiting' then 1 else 15 end, :now)
""")
SEND_WAITING = text("update payments.attempts set state = 'sending' where key = :key and state = 'waiting'")

# Payments are locked before their attempts, here as everywhere; what another run has in hand is skipped.
CLAIM = text("""
with due as (
  select a.key from payments.attempts a join payments.payments p on p.order_id = a.order_id
  where a.next_query_at <= :now order by a.next_query_at limit 50
  for update of p skip locked
)
update payments.attempts a
set queries = a.queries + 1, next_query_at = cast(:now as timestamptz) + interval '1 second' *
  case when a.state = 'waiting' then 1 else least(30, 5 * 2 ^ least(a.queries, 3)) end
from due where a.key = due.key
returning a.key, a.order_id
""")
PAYMENTS = text("select * from payments.payments where order_id = any(:order_ids) order by order_id for update")
UNFINISHED = text("""
select * from payments.attempts where order_id = any(:order_ids) and next_query_at is not null
order by order_id, state = 'waiting', created_at, key
""")

FINISH = text("""
update payments.attempts
set state = :state, amount_minor = :amount_minor, code = :code, provider_id = coalesce(:provider_id, provider_id),
  payment_token = null, next_query_at = null, finished_at = :now
where key = :key and finished_at is null
returning *, (select currency from payments.payments p where p.order_id = attempts.order_id) as currency
""")
LEAVE_UNKNOWN = text("""
update payments.attempts set state = 'unknown', next_query_at = cast(:now as timestamptz) + interval '1 second'
where key = :key and state = 'sending'
returning *
""")
MOVES = {
    "authorize": text("""
update payments.payments
set status = 'authorized', authorized_minor = :amount_minor, provider_id = :provider_id, updated_at = :now
where order_id = :order_id and authorized_minor = 0
"""),
    "capture": text("""
update payments.payments
set status = 'captured', captured_minor = captured_minor + :amount_minor, updated_at = :now
where order_id = :order_id
"""),
    "void": text("""
update payments.payments
set voided_minor = voided_minor + :amount_minor, updated_at = :now,
  status = case
    when captured_minor = 0 and voided_minor + :amount_minor = authorized_minor then 'voided' else status
  end
where order_id = :order_id
"""),
    "refund": text("""
update payments.payments
set refunded_minor = refunded_minor + :amount_minor, updated_at = :now
where order_id = :order_id
"""),
}
DECLINE = text("""
update payments.payments set status = 'declined', updated_at = :now where order_id = :order_id and status = 'created'
""")
ACCOUNTS: dict[str, tuple[str, str]] = {  # the account that receives, the account that gives
    "authorize": ("authorized", "customer"),
    "capture": ("captured", "authorized"),
    "void": ("customer", "authorized"),
    "refund": ("customer", "captured"),
}
ENTER = text("""
insert into payments.ledger (at, order_id, attempt_key, debit_account, credit_account, amount_minor, currency)
select :now, p.order_id, :key, :debit, :credit, :amount_minor, p.currency
from payments.payments p where p.order_id = :order_id and cast(:amount_minor as bigint) > 0
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command asks for, whichever command it is."""

    key: str
    order_id: UUID
    operation: Operation
    amount_minor: int | None
    currency: str | None = None
    payment_token: str | None = None
    refund_id: UUID | None = None
    reason: str | None = None


async def begin(wanted: Wanted, work: Work) -> Attempt | None:
    """Commits the attempt with its key, or finds the one that was begun before; None if there is nothing to call.

    An order has one attempt at the provider at a time: another waits for its answer, then the timer drives it on.
    """
    await work.db.send(
        ADD_PAYMENT,
        order_id=wanted.order_id,
        currency=wanted.currency,
        amount_minor=(wanted.amount_minor or 0) if wanted.currency else 0,
        now=work.now,
    )
    payment = await work.db.one(LOCK_PAYMENT, order_id=wanted.order_id)
    known = await work.db.all(ATTEMPTS, order_id=wanted.order_id)
    if same := next((row for row in known if _is_same(row, wanted)), None):
        return _attempt(payment, same, heard_of=True) if same.state in OPEN else None
    busy = any(row.state not in FINISHED for row in known)
    await work.db.send(
        ADD_ATTEMPT,
        key=wanted.key,
        order_id=wanted.order_id,
        operation=wanted.operation,
        amount_minor=wanted.amount_minor,
        refund_id=wanted.refund_id,
        reason=wanted.reason,
        payment_token=wanted.payment_token,
        state="waiting" if busy else "sending",
        now=work.now,
    )
    return None if busy else _attempt(payment, wanted, heard_of=False)


async def claim_due(work: Work) -> list[Attempt]:
    """Takes up to 50 attempts that nobody has finished in time, and those that waited for another of their order."""
    due = {row.key: row.order_id for row in await work.db.all(CLAIM, now=work.now)}
    if not due:
        return []
    order_ids = sorted(set(due.values()))
    payments = {row.order_id: row for row in await work.db.all(PAYMENTS, order_ids=order_ids)}
    first: dict[UUID, Row] = {}
    for row in await work.db.all(UNFINISHED, order_ids=order_ids):
        first.setdefault(row.order_id, row)
    claimed = []
    for order_id, row in first.items():
        if row.key not in due:
            continue
        if row.state == "waiting":
            await work.db.send(SEND_WAITING, key=row.key)
        claimed.append(_attempt(payments[order_id], row, heard_of=row.state != "waiting"))
    return claimed


async def settle(outcome: Outcome, work: Work) -> None:
    """Books what became of an attempt and says so, unless another run has settled it already."""
    await work.db.send(LOCK_PAYMENT, order_id=outcome.order_id)
    if outcome.result == "unknown":
        if left := await work.db.one(LEAVE_UNKNOWN, key=outcome.key, now=work.now):
            work.emit(PaymentUnknown(order_id=left.order_id, command_key=left.key, operation=left.operation))
        return
    attempt = await work.db.one(
        FINISH,
        key=outcome.key,
        state=outcome.result,
        amount_minor=outcome.amount_minor,
        code=outcome.code,
        provider_id=outcome.provider_id,
        now=work.now,
    )
    if attempt is None:
        return
    if outcome.result == "succeeded":
        await _move(attempt, work)
    elif attempt.operation == "authorize":
        await work.db.send(DECLINE, order_id=attempt.order_id, now=work.now)
    _answer(attempt, attempt.key, work)


async def repeat_answer(wanted: Wanted, work: Work) -> None:
    """Gives the answer of a finished attempt again; one that still waits is answered by the timer."""
    known = await work.db.all(ATTEMPTS, order_id=wanted.order_id)
    if (same := next((row for row in known if _is_same(row, wanted)), None)) and same.state in FINISHED:
        _answer(same, wanted.key, work)


def _is_same(row: Row, wanted: Wanted) -> bool:
    if row.key == wanted.key:
        return True
    return wanted.refund_id is not None and row.refund_id == wanted.refund_id and row.state != "failed"


def _attempt(payment: Row, asked: Row | Wanted, *, heard_of: bool) -> Attempt:
    amount_minor, refusal = TERMS[asked.operation](payment, asked.amount_minor)
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
        currency=payment.currency,
        payment_token=asked.payment_token,
        provider_id=payment.provider_id,
        heard_of=heard_of,
        decided=decided,
    )


async def _move(attempt: Row, work: Work) -> None:
    moved = {"order_id": attempt.order_id, "amount_minor": attempt.amount_minor, "now": work.now}
    if attempt.operation == "authorize":
        await work.db.send(MOVES["authorize"], provider_id=attempt.provider_id, **moved)
    else:
        await work.db.send(MOVES[attempt.operation], **moved)
    debit, credit = ACCOUNTS[attempt.operation]
    await work.db.send(ENTER, key=attempt.key, debit=debit, credit=credit, **moved)


def _answer(attempt: Row, key: str, work: Work) -> None:
    said = {
        "order_id": attempt.order_id,
        "command_key": key,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "refund_id": attempt.refund_id,
        "code": attempt.code,
    }
    work.emit(ANSWERS[attempt.operation, attempt.state].model_validate(said))


ANSWERS: dict[tuple[str, str], type[Event]] = {
    ("authorize", "succeeded"): PaymentAuthorized,
    ("authorize", "failed"): PaymentDeclined,
    ("capture", "succeeded"): PaymentCaptured,
    ("capture", "failed"): CaptureFailed,
    ("void", "succeeded"): PaymentVoided,
    ("void", "failed"): VoidFailed,
    ("refund", "succeeded"): RefundSucceeded,
    ("refund", "failed"): RefundFailed,
}
