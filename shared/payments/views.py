"""A payment as it is shown: to operators with every attempt, to the customer whose it is with what they can do."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from shared.payments.chargebacks import Chargeback
from shared.runtime import View, Work

Status = Literal[
    "created",
    "action_required",
    "unknown",
    "declined",
    "authorized",
    "part_captured",
    "captured",
    "part_refunded",
    "refunded",
    "voided",
    "disputed",
    "charged_back",
]

PAYMENT = text("select * from payments.payments where order_id = :order_id")
ATTEMPTS = text("select * from payments.attempts where order_id = :order_id order by created_at, key")
ENTRIES = text("select * from payments.ledger where order_id = :order_id order by id")
CHARGEBACKS = text("select * from payments.chargebacks where order_id = :order_id order by opened_at, id")


class AttemptView(View):
    """`state` is waiting, sending, unknown, action, succeeded or failed; `authorization_id` is the provider's."""

    key: str
    operation: str
    amount_minor: int | None
    refund_id: UUID | None
    authorization_id: str | None
    state: str
    code: str | None
    action_url: str | None
    action_expires_at: datetime | None
    queries: int
    created_at: datetime
    finished_at: datetime | None
    next_query_at: datetime | None


class EntryView(View):
    """An entry of the ledger: money goes from the credited account to the debited one."""

    at: datetime
    debit_account: str
    credit_account: str
    amount_minor: int
    currency: str
    authorization_id: str | None
    attempt_key: str | None
    chargeback_id: str | None
    reconciliation: int | None
    reversal: bool


class PaymentSummary(View):
    """`status` follows from the sums, and from what the payment waits for: unknown is what nobody has said yet."""

    order_id: UUID
    status: Status
    currency: str | None
    amount_minor: int
    authorized_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    disputed_minor: int
    lost_minor: int
    created_at: datetime
    updated_at: datetime


class PaymentView(PaymentSummary):
    attempts: list[AttemptView]
    ledger: list[EntryView]
    chargebacks: list[Chargeback]


class OwnPayment(View):
    """`action_url` is where the customer must confirm the payment, until `action_expires_at`."""

    order_id: UUID
    status: Status
    currency: str | None
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    declined_code: str | None
    action_url: str | None
    action_expires_at: datetime | None


async def view_of(order_id: UUID, work: Work) -> PaymentView | None:
    attempts = work.db.enqueue(ATTEMPTS, order_id=order_id)
    entries = work.db.enqueue(ENTRIES, order_id=order_id)
    chargebacks = work.db.enqueue(CHARGEBACKS, order_id=order_id)
    payment = await work.db.one(PAYMENT, order_id=order_id)
    if payment is None:
        return None
    tried = [{**row._asdict(), "authorization_id": row.provider_id} for row in await attempts.all()]
    return PaymentView.model_validate(
        {
            **payment._asdict(),
            "attempts": tried,
            "ledger": [row._asdict() for row in await entries.all()],
            "chargebacks": [row._asdict() for row in await chargebacks.all()],
        }
    )
