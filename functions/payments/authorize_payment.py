"""Reserve an order's total on the customer's card."""

from shared.payments.attempts import Wanted, begin, repeat_answer, settle
from shared.payments.events import AuthorizePayment, PaymentAuthorized, PaymentDeclined, PaymentUnknown
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.tables import attempts, ledger, payments
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


async def prepare(command: AuthorizePayment, work: Work) -> Attempt | None:
    return await begin(wanted(command), work)


@on_event(
    AuthorizePayment,
    prepare=prepare,
    call=perform,
    writes=[payments, attempts, ledger],
    emits=[PaymentAuthorized, PaymentDeclined, PaymentUnknown],
)
async def authorize_payment(command: AuthorizePayment, outcome: Outcome | None, work: Work) -> None:
    """A declined card is an answer, not an error."""
    if outcome is None:
        await repeat_answer(wanted(command), work)
    else:
        await settle(outcome, work)
