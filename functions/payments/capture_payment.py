"""Take the money that was authorised for an order, or a part of it."""

from collections.abc import Sequence

from shared.payments.attempts import Wanted, begin
from shared.payments.events import CaptureFailed, CapturePayment, PaymentCaptured, PaymentUnknown
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.settling import BREAKER, settle_or_repeat
from shared.payments.tables import attempts, breakers, ledger, payments
from shared.runtime import Work, on_event


def wanted(command: CapturePayment) -> Wanted:
    return Wanted(command.command_key, command.order_id, "capture", command.amount_minor)


async def prepare(commands: Sequence[CapturePayment], work: Work) -> list[Attempt | None]:
    return await begin([wanted(command) for command in commands], work)


@on_event(
    CapturePayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger, breakers],
    emits=[PaymentCaptured, CaptureFailed, PaymentUnknown, *BREAKER],
    together=64,
)
async def capture_payment(commands: Sequence[CapturePayment], outcomes: Sequence[Outcome | None], work: Work) -> None:
    """More than is authorised and left fails without asking the provider."""
    await settle_or_repeat([(command, wanted(command)) for command in commands], outcomes, work)
