"""Pay back captured money, once per refund."""

from collections.abc import Sequence

from shared.payments.attempts import Wanted, begin
from shared.payments.events import PaymentUnknown, RefundFailed, RefundPayment, RefundSucceeded
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.settling import BREAKER, settle_or_repeat
from shared.payments.tables import attempts, breakers, ledger, payments
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


async def prepare(commands: Sequence[RefundPayment], work: Work) -> list[Attempt | None]:
    return await begin([wanted(command) for command in commands], work)


@on_event(
    RefundPayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger, breakers],
    emits=[RefundSucceeded, RefundFailed, PaymentUnknown, *BREAKER],
    together=64,
)
async def refund_payment(commands: Sequence[RefundPayment], outcomes: Sequence[Outcome | None], work: Work) -> None:
    """More than is captured and left is answered with RefundFailed, code exceeds_captured."""
    await settle_or_repeat([(command, wanted(command)) for command in commands], outcomes, work)
