"""Disputes of the customer's bank: the money is away while one is open, and comes back or not when it is closed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from shared.payments.events import ChargebackClosed, ChargebackOpened
from shared.runtime import View, Work

OPEN = text("""
with opened as (
  insert into payments.chargebacks (id, order_id, authorization_id, amount_minor, currency, reason, opened_at)
  select :id, order_id, :authorization_id, :amount_minor, currency, :reason, :now
  from payments.payments where order_id = :order_id and currency is not null
  on conflict do nothing returning *
), moved as (
  update payments.payments p set disputed_minor = disputed_minor + o.amount_minor, updated_at = :now
  from opened o where p.order_id = o.order_id
), entered as (
  insert into payments.ledger
    (at, order_id, chargeback_id, authorization_id, debit_account, credit_account, amount_minor, currency)
  select :now, order_id, id, authorization_id, 'disputed', 'captured', amount_minor, currency from opened
)
select * from opened
""")
CLOSE = text("""
with closed as (
  update payments.chargebacks set outcome = :outcome, closed_at = :now
  where id = :id and order_id = :order_id and closed_at is null returning *
), moved as (
  update payments.payments p set disputed_minor = disputed_minor - c.amount_minor,
    lost_minor = lost_minor + case c.outcome when 'lost' then c.amount_minor else 0 end, updated_at = :now
  from closed c where p.order_id = c.order_id
), entered as (
  insert into payments.ledger
    (at, order_id, chargeback_id, authorization_id, debit_account, credit_account, amount_minor, currency)
  select :now, order_id, id, authorization_id, case outcome when 'lost' then 'lost' else 'captured' end, 'disputed',
    amount_minor, currency
  from closed
)
select * from closed
""")


class Chargeback(View):
    """`outcome` is null while it is open."""

    id: str
    amount_minor: int
    currency: str
    reason: str
    outcome: Literal["won", "lost"] | None
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """What the provider says of one."""

    id: str
    order_id: UUID
    authorization_id: str
    amount_minor: int
    reason: str
    outcome: Literal["won", "lost"] | None

    @classmethod
    def of(cls, order_id: UUID, said: dict[str, Any]) -> "Dispute | None":
        """None for what says no dispute."""
        id, authorization_id, amount = said.get("dispute_id"), said.get("id"), said.get("amount_minor")
        outcome = said.get("outcome")
        named = isinstance(id, str) and isinstance(authorization_id, str) and 0 < len(id) <= 255
        if not named or type(amount) is not int or not 0 < amount < 1 << 53 or outcome not in (None, "won", "lost"):
            return None
        reason = said.get("reason")
        reason = reason[:200] if isinstance(reason, str) and reason else "not said"
        return cls(str(id), order_id, str(authorization_id), amount, reason, outcome)


async def take(dispute: Dispute, work: Work) -> bool:
    """Books it as far as it has come, each step once, however often and in whatever order they are told.

    False when no payment is known that it could be about. The payment is locked.
    """
    opened = await work.db.one(
        OPEN,
        id=dispute.id,
        order_id=dispute.order_id,
        authorization_id=dispute.authorization_id,
        amount_minor=dispute.amount_minor,
        reason=dispute.reason,
        now=work.now,
    )
    if opened is not None:
        work.emit(
            ChargebackOpened(
                order_id=opened.order_id,
                chargeback_id=opened.id,
                amount_minor=opened.amount_minor,
                currency=opened.currency,
                reason=opened.reason,
            )
        )
    if dispute.outcome is None:
        return opened is not None
    closed = await work.db.one(CLOSE, id=dispute.id, order_id=dispute.order_id, outcome=dispute.outcome, now=work.now)
    if closed is not None:
        work.emit(
            ChargebackClosed(
                order_id=closed.order_id,
                chargeback_id=closed.id,
                amount_minor=closed.amount_minor,
                currency=closed.currency,
                reason=closed.reason,
                outcome=closed.outcome,
            )
        )
    return closed is not None
