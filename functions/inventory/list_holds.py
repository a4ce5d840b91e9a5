"""List orders' holds on stock by status, age, SKU and location, oldest first (INV-005, INV-006)."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import TextClause, text

from shared.inventory.holds import LIVE, Status
from shared.inventory.levels import LocationId
from shared.inventory.tables import hold_lines, holds
from shared.runtime import Page, Paged, View, Work, http, key_of
from shared.runtime.problems import ValidationFailed
from shared.vocabulary import Sku

FILTERS = {
    "age": "h.created_at <= now() - make_interval(secs => :age)",
    "open": """exists (select from inventory.hold_lines l where l.order_id = h.order_id
      and l.released + l.shipped < l.quantity and l.sku = coalesce(cast(:sku as text), l.sku)
      and l.location = coalesce(cast(:location as text), l.location))""",
}


class ListHolds(Paged):
    """`status` may be repeated; without it those that hold something are listed: HELD and COMMITTED.

    With `sku` or `location` only those of which something is open there. `older_than_s`: made longer ago than that.
    """

    status: Annotated[tuple[Status, ...], Field(max_length=len(Status))] = LIVE
    older_than_s: Annotated[int, Field(ge=0, le=10 * 366 * 86_400)] | None = None
    sku: Sku | None = None
    location: LocationId | None = None
    sort: Literal["created_at", "-created_at"] = "created_at"


class HoldSummary(View):
    """`quantity` is what its lines took, all together, `open` what is still held or committed of that."""

    order_id: UUID
    status: Status
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    lines: int
    quantity: int
    open: int


@lru_cache(maxsize=256)
def _page(statuses: Sequence[Status], sort: str, filters: frozenset[str]) -> TextClause:
    """The statuses stand in the text: each has a part of an index of its own."""
    way, beyond = ("", ">") if sort == "created_at" else (" desc", "<")
    order = f"order by h.created_at{way}, h.order_id{way} limit :count"
    conditions = [FILTERS[name] for name in sorted(filters - {"after"})]
    if "after" in filters:
        conditions.append(f"(h.created_at, h.order_id) {beyond} (:time, :id)")
    rest = "".join(f" and {condition}" for condition in conditions)
    each = " union all ".join(
        f"(select h.* from inventory.holds h where h.status = '{status}'{rest} {order})"  # noqa: S608 - as below
        for status in statuses
    )
    page = text(f"""
select h.*, l.lines, l.quantity, l.open from (select * from ({each}) h {order}) h
cross join lateral (
  select count(*) as lines, coalesce(sum(quantity), 0)::bigint as quantity,
    coalesce(sum(quantity - released - shipped), 0)::bigint as open
  from inventory.hold_lines where order_id = h.order_id
) l
order by h.created_at{way}, h.order_id{way}
""")  # noqa: S608 - of constants and of our own statuses
    return page.execution_options(planned="anew") if "open" in filters else page


@http("GET /v1/holds", role=("admin", "operator"), reads=[holds, hold_lines])
async def list_holds(request: ListHolds, work: Work) -> Page[HoldSummary]:
    statuses = tuple(sorted(set(request.status))) or LIVE
    bound: dict[str, object] = {}
    if request.sku or request.location:
        if not set(statuses) <= set(LIVE):
            detail = "Of a hold that has ended nothing is open anywhere: ask for HELD or COMMITTED, or the ledger."
            raise ValidationFailed(errors=[{"pointer": "/status", "detail": detail}])
        bound |= {"sku": request.sku, "location": request.location}
    if request.older_than_s is not None:
        bound["age"] = request.older_than_s
    filters = {"age"} & bound.keys() | ({"open"} if "sku" in bound else set())
    if key := key_of(request.cursor, datetime.fromisoformat, UUID):
        bound |= {"time": key[0], "id": key[1]}
        filters.add("after")
    page = _page(statuses, request.sort, frozenset(filters))
    rows = await work.db.all(page, **bound, count=request.limit + 1)
    found = [
        HoldSummary(
            order_id=row.order_id,
            status=row.status,
            created_at=row.created_at,
            updated_at=row.updated_at,
            expires_at=row.expires_at if row.status == Status.HELD else None,
            lines=row.lines,
            quantity=row.quantity,
            open=row.open,
        )
        for row in rows[: request.limit]
    ]
    return Page(found, (found[-1].created_at, found[-1].order_id) if len(rows) > request.limit else None)
