"""What the payments domain is asked for, and what it answers. Amounts are integer minor units.

Every command carries its own key, which is the provider's Idempotency-Key too: sent again, it moves no money again.
Every command is answered by exactly one of its answers; PaymentUnknown says that the answer will come later.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.runtime import Event
from shared.vocabulary import Currency, Minor

Operation = Literal["authorize", "capture", "void", "refund"]
Positive = Annotated[Minor, Field(gt=0)]


class AuthorizePayment(
    Event,
    type="shop.payments.authorize.v1",
    topic="shop.payments.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Answered by PaymentAuthorized or PaymentDeclined, and by PaymentActionRequired before, if the customer must act.

    An amount of 0 is authorised without the provider. Another key while the customer should act is another card: what
    was asked for is cancelled first.
    """

    order_id: UUID
    amount_minor: Minor
    currency: Currency
    payment_token: str
    command_key: str


class CapturePayment(
    Event,
    type="shop.payments.capture.v1",
    topic="shop.payments.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Without an amount: all that is authorised. Answered by PaymentCaptured or CaptureFailed."""

    order_id: UUID
    amount_minor: Positive | None = None
    command_key: str


class VoidPayment(
    Event,
    type="shop.payments.void.v1",
    topic="shop.payments.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Without an amount: all that is not captured. Answered by PaymentVoided, also if nothing was ever authorised.

    What the customer should have done is cancelled by it. Answered by VoidFailed if all is captured already (it can
    only be refunded then), or if the provider refuses.
    """

    order_id: UUID
    amount_minor: Positive | None = None
    command_key: str


class RefundPayment(
    Event,
    type="shop.payments.refund.v1",
    topic="shop.payments.commands",
    key="order_id",
    subject="order/{order_id}",
    sent_by=("orders",),
):
    """Answered by RefundSucceeded or RefundFailed; a refund_id that succeeded is never paid twice."""

    order_id: UUID
    refund_id: UUID
    amount_minor: Positive
    reason: str
    command_key: str


class PaymentAuthorized(
    Event,
    type="shop.payments.payment.authorized.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    order_id: UUID
    command_key: str
    amount_minor: int
    currency: str


class PaymentDeclined(
    Event,
    type="shop.payments.payment.declined.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    order_id: UUID
    command_key: str
    amount_minor: int
    currency: str
    code: str


class PaymentActionRequired(
    Event,
    type="shop.payments.payment.action_required.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    """The customer must do something at `action_url` first; PaymentAuthorized or PaymentDeclined follows."""

    order_id: UUID
    command_key: str
    action_url: str
    expires_at: datetime


class PaymentCaptured(
    Event,
    type="shop.payments.payment.captured.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    order_id: UUID
    command_key: str
    amount_minor: int
    currency: str


class CaptureFailed(
    Event,
    type="shop.payments.payment.capture_failed.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    order_id: UUID
    command_key: str
    amount_minor: int
    code: str


class PaymentVoided(
    Event,
    type="shop.payments.payment.voided.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    """`amount_minor` is 0 if nothing was authorised."""

    order_id: UUID
    command_key: str
    amount_minor: int


class VoidFailed(
    Event,
    type="shop.payments.payment.void_failed.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    order_id: UUID
    command_key: str
    amount_minor: int
    code: str


class PaymentUnknown(
    Event,
    type="shop.payments.payment.unknown.v1",
    topic="shop.payments",
    key="order_id",
    subject="payment/{order_id}",
):
    """The provider did not say what became of it: the command's true answer follows when it has been asked by key."""

    order_id: UUID
    command_key: str
    operation: Operation


class RefundSucceeded(
    Event,
    type="shop.payments.refund.succeeded.v1",
    topic="shop.payments",
    key="order_id",
    subject="refund/{refund_id}",
):
    order_id: UUID
    refund_id: UUID
    command_key: str
    amount_minor: int
    currency: str


class RefundFailed(
    Event,
    type="shop.payments.refund.failed.v1",
    topic="shop.payments",
    key="order_id",
    subject="refund/{refund_id}",
):
    order_id: UUID
    refund_id: UUID
    command_key: str
    amount_minor: int
    code: str


class ChargebackOpened(
    Event,
    type="shop.payments.chargeback.opened.v1",
    topic="shop.payments",
    key="order_id",
    subject="chargeback/{chargeback_id}",
):
    """The customer's bank has taken the money back, until it is decided who is right."""

    order_id: UUID
    chargeback_id: str
    amount_minor: int
    currency: str
    reason: str


class ChargebackClosed(
    Event,
    type="shop.payments.chargeback.closed.v1",
    topic="shop.payments",
    key="order_id",
    subject="chargeback/{chargeback_id}",
):
    """`won`: the money is back. `lost`: it stays with the customer."""

    order_id: UUID
    chargeback_id: str
    amount_minor: int
    currency: str
    reason: str
    outcome: Literal["won", "lost"]
