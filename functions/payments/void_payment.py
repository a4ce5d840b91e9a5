"""Give back what was authorised for an order and not captured."""

from shared.payments.attempts import Wanted, begin, repeat_answer, settle
from shared.payments.events import PaymentUnknown, PaymentVoided, VoidFailed, VoidPayment
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.tables import attempts, ledger, payments
from shared.runtime import Work, on_event


def wanted(command: VoidPayment) -> Wanted:
    return Wanted(command.command_key, command.order_id, "void", command.amount_minor)


async def prepare(command: VoidPayment, work: Work) -> Attempt | None:
    return await begin(wanted(command), work)


@on_event(
    VoidPayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger],
    emits=[PaymentVoided, VoidFailed, PaymentUnknown],
)
async def void_payment(command: VoidPayment, outcome: Outcome | None, work: Work) -> None:
    """What was never authorised is voided by saying so, and can no longer be authorised."""
    if outcome is None:
        await repeat_answer(wanted(command), work)
    else:
        await settle(outcome, work)
