"""Find out by their keys what became of the payments that nobody finished."""

import asyncio

from shared.payments.claiming import claim_due
from shared.payments.provider import Attempt, Outcome, perform
from shared.payments.provider_events import apply_early
from shared.payments.settling import EVERY_ANSWER, settle
from shared.payments.tables import attempts, breakers, ledger, payments, provider_events
from shared.runtime import Egress, Work, timer


async def prepare(work: Work) -> list[Attempt]:
    return await claim_due(work)


async def call(claimed: list[Attempt], egress: Egress) -> list[Outcome]:
    return await asyncio.gather(*(perform(attempt, egress) for attempt in claimed))


@timer(
    "*/2 * * * * *",
    prepare=prepare,
    call=call,
    writes=[payments, attempts, ledger, provider_events, breakers],
    emits=EVERY_ANSWER,
)
async def resolve_unknown_payments(outcome: list[Outcome], work: Work) -> None:
    """The answer is the one that the command would have had; what is still unknown is asked again later.

    What the provider told before we knew of it is taken up, too.
    """
    await settle(outcome, work)
    await apply_early(work)
