"""Pay back captured money, once per refund."""

from shared.payments.attempts import Wanted, begin, repeat_answer, settle
from shared.payments.events import PaymentUnknown, RefundFailed, RefundPayment, RefundSucceeded
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.tables import attempts, ledger, payments
from shared.runtime import Work, on_event


def wanted(command: RefundPayment) -> Wanted:
    return Wanted(
        key=command.command_key,
        order_id=command.order_id,
        operation="refund",
        amount_minor=command.amount_minor,
        refund_id=command.refund_id,
        reason=command.reason,
    )


async def prepare(command: RefundPayment, work: Work) -> Attempt | None:
    return await begin(wanted(command), work)


@on_event(
    RefundPayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger],
    emits=[RefundSucceeded, RefundFailed, PaymentUnknown],
)
async def refund_payment(command: RefundPayment, outcome: Outcome | None, work: Work) -> None:
    """More than is captured and left is answered with RefundFailed, code exceeds_captured."""
    if outcome is None:
        await repeat_answer(wanted(command), work)
    else:
        await settle(outcome, work)
