"""Take what the payment provider tells by itself: what became of a payment, and disputes."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from shared.payments.events import ChargebackClosed, ChargebackOpened
from shared.payments.provider_events import receive
from shared.payments.settling import EVERY_ANSWER
from shared.payments.tables import attempts, breakers, chargebacks, ledger, payments, provider_events
from shared.runtime import Request, Work, http


class ReceiveProviderEvent(Request):
    """What is not known here is ignored: the provider may say more one day."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    webhook_id: str
    type: Annotated[str, Field(min_length=1, max_length=200, examples=["operation.settled"])]
    data: Annotated[dict[str, Any], Field(default_factory=dict)]


@http(
    "POST /v1/provider-webhooks",
    role="public",
    status=204,
    signed="provider_webhook_secret",
    limit_bytes=65_536,
    writes=[payments, attempts, ledger, chargebacks, provider_events, breakers],
    emits=[*EVERY_ANSWER, ChargebackOpened, ChargebackClosed],
)
async def receive_provider_event(request: ReceiveProviderEvent, work: Work) -> None:
    """Signed as Standard Webhooks has it. An event has one effect, however often it is sent and however early it comes.

    A type that is not known is accepted and ignored.
    """
    await receive(request.webhook_id, request.type, request.data, work)
