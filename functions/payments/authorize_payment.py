"""Reserve an order's total on the customer's card."""

from collections.abc import Sequence

from shared.payments.attempts import Wanted, begin
from shared.payments.events import (
    AuthorizePayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    VoidFailed,
)
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.settling import BREAKER, settle_or_repeat
from shared.payments.tables import attempts, breakers, ledger, payments
from shared.runtime import Work, on_event


def wanted(command: AuthorizePayment) -> Wanted:
    return Wanted(
        key=command.command_key,
        order_id=command.order_id,
        operation="authorize",
        amount_minor=command.amount_minor,
        currency=command.currency,
        payment_token=command.payment_token,
    )


async def prepare(commands: Sequence[AuthorizePayment], work: Work) -> list[Attempt | None]:
    return await begin([wanted(command) for command in commands], work)


@on_event(
    AuthorizePayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger, breakers],
    emits=[
        PaymentAuthorized,
        PaymentDeclined,
        PaymentActionRequired,
        PaymentVoided,
        VoidFailed,
        PaymentUnknown,
        *BREAKER,
    ],
    together=64,
)
async def authorize_payment(
    commands: Sequence[AuthorizePayment], outcomes: Sequence[Outcome | None], work: Work
) -> None:
    """A declined card is an answer, not an error. So is a card for which the customer must do something first.

    Another card while that is waited for takes its place.
    """
    await settle_or_repeat([(command, wanted(command)) for command in commands], outcomes, work)
