"""Take the money that was authorised for an order, or a part of it."""

from shared.payments.attempts import Wanted, begin, repeat_answer, settle
from shared.payments.events import CaptureFailed, CapturePayment, PaymentCaptured, PaymentUnknown
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.tables import attempts, ledger, payments
from shared.runtime import Work, on_event


def wanted(command: CapturePayment) -> Wanted:
    return Wanted(command.command_key, command.order_id, "capture", command.amount_minor)


async def prepare(command: CapturePayment, work: Work) -> Attempt | None:
    return await begin(wanted(command), work)


@on_event(
    CapturePayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger],
    emits=[PaymentCaptured, CaptureFailed, PaymentUnknown],
)
async def capture_payment(command: CapturePayment, outcome: Outcome | None, work: Work) -> None:
    """More than is authorised and left fails without asking the provider."""
    if outcome is None:
        await repeat_answer(wanted(command), work)
    else:
        await settle(outcome, work)
