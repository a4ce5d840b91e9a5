"""What became of attempts is booked and said exactly once, whoever comes to know it: a call, the timer or a webhook."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import text

from shared.payments import metrics
from shared.payments.attempts import FINISHED, LOCK_PAYMENTS, Wanted, add, books_of, is_same
from shared.payments.breaker import heed
from shared.payments.events import (
    CaptureFailed,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    RefundFailed,
    RefundSucceeded,
    VoidFailed,
)
from shared.payments.provider import Outcome
from shared.platform.events import BreakerClosed, BreakerOpened
from shared.runtime import Event, Work
from shared.runtime.pipeline import Row

NOTHING: Mapping[str, Event] = MappingProxyType({})

# What a payment still waits for is looked at in the same statement, but for what is settled in it.
_PENDING = """
select case a.state when 'action' then 'action_required' else a.state end from payments.attempts a
where a.order_id = p.order_id and a.state in ('unknown', 'action') and a.key <> all(:keys)
order by a.state = 'unknown' limit 1
"""
SETTLE = text(f"""
with told as (
  select * from unnest(cast(:keys as text[]), cast(:states as text[]), cast(:amounts as bigint[]),
    cast(:codes as text[]), cast(:provider_ids as text[]))
    with ordinality as t (key, state, amount_minor, code, provider_id, n)
), finished as (
  update payments.attempts a
  set state = t.state, amount_minor = t.amount_minor, code = t.code,
    provider_id = coalesce(t.provider_id, a.provider_id), payment_token = null, next_query_at = null,
    finished_at = :now
  from told t where a.key = t.key and a.finished_at is null
  returning a.key, a.order_id, a.operation, a.state, a.amount_minor, a.code, a.provider_id, a.refund_id, t.n
), judged as (
  select *, case
      when state = 'succeeded' then becomes
      when operation = 'authorize' and code not in ('voided', 'already_authorized', 'authorized_for_less')
        then 'declined'
    end as said
  from finished join (values
    ('authorize', 'authorized', 'authorized', 'customer'), ('capture', 'captured', 'captured', 'authorized'),
    ('void', 'voided', 'customer', 'authorized'), ('refund', null, 'customer', 'captured')
  ) as accounts (operation, becomes, debit, credit) using (operation)
), sums as (
  select order_id,
    coalesce(sum(amount_minor) filter (where state = 'succeeded' and operation = 'authorize'), 0) as authorized,
    coalesce(sum(amount_minor) filter (where state = 'succeeded' and operation = 'capture'), 0) as captured,
    coalesce(sum(amount_minor) filter (where state = 'succeeded' and operation = 'void'), 0) as voided,
    coalesce(sum(amount_minor) filter (where state = 'succeeded' and operation = 'refund'), 0) as refunded,
    (array_agg(said order by n desc) filter (where said is not null))[1] as said,
    (array_agg(provider_id order by n desc) filter (where state = 'succeeded' and operation = 'authorize'))[1]
      as provider_id
  from judged group by order_id
), moved as (
  update payments.payments p
  set authorized_minor = authorized_minor + s.authorized, captured_minor = captured_minor + s.captured,
    voided_minor = voided_minor + s.voided, refunded_minor = refunded_minor + s.refunded,
    last_said = coalesce(s.said, last_said), provider_id = coalesce(s.provider_id, p.provider_id),
    pending = ({_PENDING}), updated_at = :now
  from sums s where p.order_id = s.order_id
  returning p.order_id, p.currency
), entered as (
  insert into payments.ledger
    (at, order_id, attempt_key, authorization_id, debit_account, credit_account, amount_minor, currency)
  select :now, order_id, key, provider_id, debit, credit, amount_minor, currency from judged join moved using (order_id)
  where state = 'succeeded' and amount_minor > 0
  order by n
)
select finished.*, currency from finished join moved using (order_id) order by n
""")  # noqa: S608 - of constants
LEAVE_OPEN = text("""
with told as (
  select * from unnest(cast(:open_keys as text[]), cast(:states as text[]), cast(:provider_ids as text[]),
    cast(:urls as text[]), cast(:expiries as timestamptz[])) as t (key, state, provider_id, url, expires_at)
), left_open as (
  update payments.attempts a
  set state = t.state, provider_id = coalesce(t.provider_id, a.provider_id), action_url = t.url,
    action_expires_at = t.expires_at, next_query_at = case t.state
      when 'unknown' then cast(:now as timestamptz) + interval '1 second'
      else least(t.expires_at + interval '1 second', cast(:now as timestamptz) + interval '10 seconds') end
  from told t
  where a.key = t.key and (a.state = 'sending' or a.state = 'unknown' and t.state = 'action')
  returning a.key, a.order_id, a.operation, a.state, a.action_url, a.action_expires_at
), moved as (
  update payments.payments p
  set pending = case l.state when 'action' then 'action_required' else l.state end, updated_at = :now
  from left_open l where p.order_id = l.order_id
)
select * from left_open
""")
ACTIONS = text("""
select key, order_id, provider_id, amount_minor from payments.attempts
where state = 'action' and order_id = any(:order_ids)
""")
GRANT_LATE = text("""
with late as (
  update payments.attempts
  set state = 'succeeded', code = null, provider_id = :provider_id, finished_at = :now
  where key = :key and state = 'failed' and operation = 'authorize'
  returning key, order_id, amount_minor
), moved as (
  update payments.payments p set authorized_minor = authorized_minor + late.amount_minor, updated_at = :now
  from late where p.order_id = late.order_id returning p.order_id, p.currency
)
insert into payments.ledger
  (at, order_id, attempt_key, authorization_id, debit_account, credit_account, amount_minor, currency)
select :now, order_id, key, :provider_id, 'authorized', 'customer', amount_minor, currency
from late join moved using (order_id)
returning order_id, amount_minor
""")


async def settle_or_repeat(
    commands: Sequence[tuple[Event, Wanted]], outcomes: Sequence[Outcome | None], work: Work
) -> None:
    """Settles what was called for these commands; of the others gives the answers again that they had before."""
    because: dict[str, Event] = {}
    for (command, wanted), outcome in zip(commands, outcomes, strict=True):
        because[wanted.key if outcome is None else outcome.key] = command
    again = [wanted for (_, wanted), outcome in zip(commands, outcomes, strict=True) if outcome is None]
    await answer_again(again, work, because)
    await settle([outcome for outcome in outcomes if outcome is not None], work, because)


async def settle(outcomes: Sequence[Outcome], work: Work, because: Mapping[str, Event] = NOTHING) -> None:
    """Says the answers too; nothing of an outcome that another run has settled already.

    `because` is what led to the attempt of a key, where it is one of several events.
    """
    if not outcomes:
        return
    await work.db.send(LOCK_PAYMENTS, order_ids=sorted({outcome.order_id for outcome in outcomes}))
    open_ones = [outcome for outcome in outcomes if outcome.result in ("unknown", "action")]
    settled = [outcome for outcome in outcomes if outcome.result not in ("unknown", "action")]
    if settled:
        await _finish(await _with_ended_actions(settled, work), work, because)
    if open_ones:
        await _leave_open(open_ones, work, because)
    await heed(outcomes, work)


async def grant_late(outcome: Outcome, work: Work) -> None:
    """Books an authorisation that was answered with a refusal before, and gives it back: nobody waits for it any more.

    The payment is locked.
    """
    row = await work.db.one(GRANT_LATE, key=outcome.key, provider_id=outcome.provider_id, now=work.now)
    if row is not None:
        key = f"{outcome.key}/late"
        void = Wanted(key, row.order_id, "void", None, provider_id=outcome.provider_id, state="waiting")
        await add([void], work)


async def answer_again(wanted: Sequence[Wanted], work: Work, because: Mapping[str, Event] = NOTHING) -> None:
    """Gives the answers of finished attempts again; what still waits is answered when it is settled."""
    if not wanted:
        return
    books = await books_of([one.order_id for one in wanted], work)
    for one in wanted:
        known = books[one.order_id].attempts if one.order_id in books else ()
        if same := next((row for row in known if is_same(row, one)), None):
            if same.state in FINISHED:
                _answer(same, one.key, books[one.order_id].payment.currency, work, because.get(one.key))
            elif same.state == "action":
                _ask_customer(same, work, because.get(one.key))


async def _with_ended_actions(outcomes: Sequence[Outcome], work: Work) -> list[Outcome]:
    """Before a void that ended an action comes what became of that: nothing, or what the void has given back."""
    told = {outcome.key for outcome in outcomes}
    voided = [outcome for outcome in outcomes if outcome.result == "succeeded" and outcome.provider_id]
    ended = {(outcome.order_id, outcome.provider_id): outcome for outcome in voided}
    if not any(outcome.ends_action for outcome in voided):
        return list(outcomes)
    before = []
    for row in await work.db.all(ACTIONS, order_ids=sorted({order_id for order_id, _ in ended})):
        void = ended.get((row.order_id, row.provider_id))
        if void is None or not void.ends_action or row.key in told:
            continue
        made = void.amount_minor > 0
        before.append(
            Outcome(
                row.key,
                row.order_id,
                "succeeded" if made else "failed",
                row.amount_minor,
                code=None if made else "action_cancelled",
                provider_id=row.provider_id,
            )
        )
    return [*before, *outcomes]


async def _finish(outcomes: Sequence[Outcome], work: Work, because: Mapping[str, Event]) -> None:
    rows = await work.db.all(
        SETTLE,
        keys=[outcome.key for outcome in outcomes],
        states=[outcome.result for outcome in outcomes],
        amounts=[outcome.amount_minor for outcome in outcomes],
        codes=[outcome.code for outcome in outcomes],
        provider_ids=[outcome.provider_id for outcome in outcomes],
        now=work.now,
    )
    for row in rows:
        metrics.OUTCOMES.labels(row.operation, row.code or "ok").inc()
        _answer(row, row.key, row.currency, work, because.get(row.key))


async def _leave_open(outcomes: Sequence[Outcome], work: Work, because: Mapping[str, Event]) -> None:
    rows = await work.db.all(
        LEAVE_OPEN,
        open_keys=[outcome.key for outcome in outcomes],
        states=[outcome.result for outcome in outcomes],
        provider_ids=[outcome.provider_id for outcome in outcomes],
        urls=[outcome.action_url for outcome in outcomes],
        expiries=[outcome.action_expires_at for outcome in outcomes],
        now=work.now,
    )
    for row in rows:
        metrics.OUTCOMES.labels(row.operation, "unknown" if row.state == "unknown" else "action_required").inc()
        if row.state == "action":
            _ask_customer(row, work, because.get(row.key))
        else:
            unknown = PaymentUnknown(order_id=row.order_id, command_key=row.key, operation=row.operation)
            work.emit(unknown, because=because.get(row.key))


def _ask_customer(attempt: Row, work: Work, because: Event | None) -> None:
    work.emit(
        PaymentActionRequired(
            order_id=attempt.order_id,
            command_key=attempt.key,
            action_url=attempt.action_url,
            expires_at=attempt.action_expires_at,
        ),
        because=because,
    )


def _answer(attempt: Row, key: str, currency: str | None, work: Work, because: Event | None) -> None:
    said = {
        "order_id": attempt.order_id,
        "command_key": key,
        "amount_minor": attempt.amount_minor,
        "currency": currency,
        "refund_id": attempt.refund_id,
        "code": attempt.code,
    }
    # Whoever wants to have money authorised that already is has what was wanted, whichever card it is on.
    there = attempt.operation == "authorize" and attempt.code == "already_authorized"
    answer = PaymentAuthorized if there else ANSWERS[attempt.operation, attempt.state]
    work.emit(answer.model_validate(said), because=because)


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
BREAKER: tuple[type[Event], ...] = (BreakerOpened, BreakerClosed)
EVERY_ANSWER: tuple[type[Event], ...] = (*ANSWERS.values(), PaymentActionRequired, PaymentUnknown, *BREAKER)
