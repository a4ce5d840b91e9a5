"""List payments by status, age and amount, newest first."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from shared.payments.tables import payments
from shared.payments.views import PaymentSummary, Status
from shared.runtime import Page, Paged, Work, http, key_of

SECONDS = 10 * 365 * 86_400
Amount = Annotated[int, Field(ge=0, le=10**13)]

_WHERE = """
select * from payments.payments
where (created_at, order_id) < (coalesce(cast(:before as timestamptz), 'infinity'), cast(:id as uuid))
  and created_at <= now() - make_interval(secs => :older_than_s)
  and created_at >= now() - make_interval(secs => :newer_than_s)
  and amount_minor between :min_minor and :max_minor
  and (cast(:currency as text) is null or currency = :currency)
"""
_ORDER = " order by created_at desc, order_id desc limit :count"
PAGE = text(f"{_WHERE} and (cast(:statuses as text[]) is null or status = any(:statuses)) {_ORDER}")
# What waits is rare among millions: it has an index of its own.
PENDING = text(f"{_WHERE} and pending is not null and pending = any(:statuses) {_ORDER}").execution_options(
    planned="anew"
)
WAITING = frozenset({"unknown", "action_required"})


class ListPayments(Paged):
    """`status` may be repeated. Ages count from when the payment was first asked for, in seconds."""

    status: list[Status] | None = None
    older_than_s: Annotated[int, Field(ge=0, le=SECONDS)] = 0
    newer_than_s: Annotated[int, Field(ge=0, le=SECONDS)] = SECONDS
    min_minor: Amount = 0
    max_minor: Amount | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None


@http("GET /v1/payments", role=("admin", "operator"), reads=[payments])
async def list_payments(request: ListPayments, work: Work) -> Page[PaymentSummary]:
    """`status=unknown` is what the provider has not said; `older_than_s` then finds what it owes for long."""
    before, id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, UUID(int=2**128 - 1))
    statuses = request.status or None
    pending = statuses is not None and WAITING.issuperset(statuses)
    rows = await work.db.all(
        PENDING if pending else PAGE,
        before=before,
        id=id,
        statuses=statuses,
        older_than_s=request.older_than_s,
        newer_than_s=request.newer_than_s,
        min_minor=request.min_minor,
        max_minor=2**63 - 1 if request.max_minor is None else request.max_minor,
        currency=request.currency,
        count=request.limit + 1,
    )
    found = [PaymentSummary.model_validate(row._asdict()) for row in rows[: request.limit]]
    last = (found[-1].created_at, found[-1].order_id) if len(rows) > request.limit else None
    return Page(found, last)
