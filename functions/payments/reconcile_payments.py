"""Compare the books of payments with the provider's own, say why they differ, and mend ours."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.payments.comparing import Difference, Ours, Theirs, ask_after, ask_of, differences, ours_after, strangers
from shared.payments.events import ChargebackClosed, ChargebackOpened
from shared.payments.mending import mend, remember
from shared.payments.problems import NoProviderBooks
from shared.payments.tables import (
    attempts,
    breakers,
    chargebacks,
    ledger,
    payments,
    reconciliations,
)
from shared.payments.tables import differences as kept_differences
from shared.runtime import Egress, Request, View, Work, http
from shared.vocabulary import Line


class ReconcilePayments(Request):
    """One batch of `ours`, of the orders after `after`; or of `theirs`, for what the provider has and no order here.

    With `mend` and a reason our books become what the provider's say.
    """

    books: Literal["ours", "theirs"] = "ours"
    after: Annotated[str, Field(max_length=40, pattern=r"^([0-9]{1,15}|[0-9a-fA-F-]{36}|)$", examples=[""])] = ""
    limit: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 200
    mend: bool = False
    reason: Line = "reconciliation"


class Reconciled(View):
    """`after` asks for the next batch; it is null at the end."""

    compared: int
    differences: list[Difference]
    after: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    request: ReconcilePayments
    ours: Ours | None


async def prepare(request: ReconcilePayments, work: Work) -> Batch:
    if request.books == "theirs":
        return Batch(request, None)
    after = request.after if len(request.after) == len(str(UUID(int=0))) else ""
    return Batch(request, await ours_after(after, request.limit, work))


async def call(batch: Batch, egress: Egress) -> Theirs:
    if batch.ours is not None:
        return await ask_of(batch.ours, egress)
    after = batch.request.after if batch.request.after.isdigit() else ""
    return await ask_after(after, batch.request.limit, egress)


@http(
    "POST /v1/admin/payment-reconciliation",
    role="operator",
    prepare=prepare,
    call=call,
    reads=[breakers],
    writes=[payments, attempts, ledger, chargebacks, kept_differences, reconciliations],
    emits=[ChargebackOpened, ChargebackClosed],
)
async def reconcile_payments(request: ReconcilePayments, outcome: Theirs, work: Work) -> Reconciled:
    """The shop stays open: a payment that moves meanwhile is left for the next time. Raises NoProviderBooks.

    Who mended what, and why, is kept with the entries.
    """
    if outcome.sums is None:
        raise NoProviderBooks
    if request.books == "theirs":
        found = await strangers(outcome, work)
        await remember((), found, work)
        return Reconciled(compared=len(outcome.sums), differences=found, after=outcome.after)
    ours = outcome.ours
    found = await differences(outcome, work)
    if found and request.mend:
        found = await mend(found, outcome.disputes, dict(ours.at), request.reason, work)
    await remember(ours.order_ids, found, work)
    after = None if ours.ended else str(ours.order_ids[-1])
    return Reconciled(compared=len(ours.order_ids), differences=found, after=after)
