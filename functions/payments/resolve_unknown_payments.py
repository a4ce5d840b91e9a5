"""Find out by their keys what became of the payments that nobody finished."""

import asyncio

from shared.payments.attempts import claim_due, settle
from shared.payments.events import (
    CaptureFailed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    RefundFailed,
    RefundSucceeded,
    VoidFailed,
)
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.tables import attempts, ledger, payments
from shared.runtime import Egress, Work, timer


async def prepare(work: Work) -> list[Attempt]:
    return await claim_due(work)


async def call(claimed: list[Attempt], egress: Egress) -> list[Outcome]:
    return await asyncio.gather(*(perform(attempt, egress) for attempt in claimed))


@timer(
    "*/2 * * * * *",
    prepare=prepare,
    call=call,
    writes=[payments, attempts, ledger],
    emits=[
        PaymentAuthorized,
        PaymentDeclined,
        PaymentCaptured,
        CaptureFailed,
        PaymentVoided,
        VoidFailed,
        RefundSucceeded,
        RefundFailed,
        PaymentUnknown,
    ],
)
async def resolve_unknown_payments(outcome: list[Outcome], work: Work) -> None:
    """The answer is the one that the command would have had; what is still unknown is asked again later."""
    for one in sorted(outcome, key=lambda one: one.order_id):
        await settle(one, work)
