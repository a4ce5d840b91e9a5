"""Give back what was authorised for an order and not captured."""

from collections.abc import Sequence

from shared.payments.attempts import Wanted, begin
from shared.payments.events import (
    PaymentAuthorized,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    VoidFailed,
    VoidPayment,
)
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.settling import BREAKER, settle_or_repeat
from shared.payments.tables import attempts, breakers, ledger, payments
from shared.runtime import Work, on_event


def wanted(command: VoidPayment) -> Wanted:
    return Wanted(command.command_key, command.order_id, "void", command.amount_minor)


async def prepare(commands: Sequence[VoidPayment], work: Work) -> list[Attempt | None]:
    return await begin([wanted(command) for command in commands], work)


@on_event(
    VoidPayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger, breakers],
    emits=[PaymentVoided, VoidFailed, PaymentAuthorized, PaymentDeclined, PaymentUnknown, *BREAKER],
    together=64,
)
async def void_payment(commands: Sequence[VoidPayment], outcomes: Sequence[Outcome | None], work: Work) -> None:
    """What was never authorised is voided by saying so. What the customer should still do is ended by it.

    A void that comes before any authorisation is meant for the one that is late, which is then refused.
    """
    await settle_or_repeat([(command, wanted(command)) for command in commands], outcomes, work)
