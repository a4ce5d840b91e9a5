"""Lets our books of payments be what the provider's say, by entries that name who wanted it and why."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.payments.attempts import Wanted, add, books_of
from shared.payments.chargebacks import Dispute, take
from shared.payments.comparing import MENDABLE, Difference
from shared.runtime import Work

ACCOUNTS = {  # the account that receives, the account that gives
    "authorized": ("authorized", "customer"),
    "captured": ("captured", "authorized"),
    "voided": ("customer", "authorized"),
    "refunded": ("customer", "captured"),
}

KEEP = text("""
insert into payments.reconciliations
  (at, actor, reason, order_id, authorization_id, figure, ours_minor, theirs_minor, cause)
values (:now, :actor, :reason, :order_id, :authorization_id, :figure, :ours_minor, :theirs_minor, :cause)
returning id
""")
ENTER = text("""
insert into payments.ledger
  (at, order_id, reconciliation, authorization_id, debit_account, credit_account, amount_minor, currency, reversal)
select :now, order_id, :reconciliation, :authorization_id, :debit, :credit, :amount_minor, coalesce(currency, 'XXX'),
  :reversal
from payments.payments where order_id = :order_id
""")
MOVE = text("""
update payments.payments set
  authorized_minor = authorized_minor + :authorized, captured_minor = captured_minor + :captured,
  voided_minor = voided_minor + :voided, refunded_minor = refunded_minor + :refunded,
  provider_id = coalesce(provider_id, :authorization_id), updated_at = :now
where order_id = :order_id
""")
REMEMBER = text("""
insert into payments.differences as d
  (order_id, authorization_id, figure, ours_minor, theirs_minor, cause, found_at, seen_at)
select *, :now, :now from unnest(cast(:order_ids as uuid[]), cast(:ids as text[]), cast(:figures as text[]),
  cast(:ours as bigint[]), cast(:theirs as bigint[]), cast(:causes as text[]))
on conflict (order_id, authorization_id, figure) do update
set ours_minor = excluded.ours_minor, theirs_minor = excluded.theirs_minor, cause = excluded.cause,
  found_at = case when d.gone_at is null then d.found_at else excluded.found_at end, seen_at = excluded.seen_at,
  gone_at = null
""")
FORGET = text("""
update payments.differences set gone_at = :now
where gone_at is null and order_id = any(:order_ids) and (seen_at < :now or :mended)
""")


async def remember(compared: Sequence[UUID], found: Sequence[Difference], work: Work) -> None:
    """Keeps what differs, since when, and notes what does not differ any more."""
    kept = {(one.order_id, one.authorization_id, one.figure): one for one in found if not one.mended}.values()
    if kept:
        await work.db.send(
            REMEMBER,
            order_ids=[one.order_id for one in kept],
            ids=[one.authorization_id for one in kept],
            figures=[one.figure for one in kept],
            ours=[one.ours_minor for one in kept],
            theirs=[one.theirs_minor for one in kept],
            causes=[one.cause for one in kept],
            now=work.now,
        )
    differing = {one.order_id for one in kept}
    gone = sorted(set(compared) - differing)
    if gone:
        await work.db.send(FORGET, order_ids=gone, now=work.now, mended=True)
    if differing:
        await work.db.send(FORGET, order_ids=sorted(differing), now=work.now, mended=False)


async def mend(
    found: Sequence[Difference],
    disputes: Sequence[Dispute],
    as_of: dict[UUID, datetime],
    reason: str,
    work: Work,
) -> list[Difference]:
    """Mends what can be of payments that have not moved since; an authorisation that nobody asked for is given back."""
    locked = await books_of({one.order_id for one in found}, work)
    still = {id for id, books in locked.items() if books.payment.updated_at == as_of.get(id)}
    mended: list[Difference] = []
    for order_id in sorted({one.order_id for one in found}):
        of_order = [one for one in found if one.order_id == order_id]
        if order_id not in still or any(one.cause not in MENDABLE for one in of_order):
            mended += of_order
            continue
        for id in sorted({one.authorization_id for one in of_order}):
            await _mend_one([one for one in of_order if one.authorization_id == id], disputes, reason, work)
        mended += [one.model_copy(update={"mended": True}) for one in of_order]
    return mended


async def _mend_one(found: list[Difference], disputes: Sequence[Dispute], reason: str, work: Work) -> None:
    deltas = dict.fromkeys(ACCOUNTS, 0)
    order_id, authorization_id = found[0].order_id, found[0].authorization_id
    for one in found:
        kept = {**one.model_dump(include=set(KEPT)), "actor": work.caller.subject, "reason": reason}
        reconciliation = await work.db.value(KEEP, **kept, now=work.now)
        if one.figure == "disputed":
            continue
        delta = deltas[one.figure] = one.theirs_minor - one.ours_minor
        debit, credit = ACCOUNTS[one.figure]
        await work.db.send(
            ENTER,
            order_id=order_id,
            reconciliation=reconciliation,
            authorization_id=authorization_id,
            debit=debit if delta > 0 else credit,
            credit=credit if delta > 0 else debit,
            amount_minor=abs(delta),
            reversal=delta < 0,
            now=work.now,
        )
    await work.db.send(MOVE, order_id=order_id, authorization_id=authorization_id, now=work.now, **deltas)
    for dispute in disputes:
        if (dispute.order_id, dispute.authorization_id) == (order_id, authorization_id):
            await take(dispute, work)
    left = deltas["authorized"] - deltas["captured"] - deltas["voided"]
    if left > 0 and any(one.figure == "authorized" and one.ours_minor == 0 for one in found):
        key = f"{order_id}/reconciliation/{authorization_id}"
        void = Wanted(key, order_id, "void", None, provider_id=authorization_id, state="waiting")
        await add([void], work)


KEPT = ("order_id", "authorization_id", "figure", "ours_minor", "theirs_minor", "cause")
