"""List transfers, newest first, in keyset pages (INV-012)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.inventory.levels import LocationId
from shared.inventory.tables import transfer_lines, transfers
from shared.inventory.transfers import HEAD, OPEN, Head, TransferStatus
from shared.runtime import Page, Paged, Work, http, key_of
from shared.vocabulary import Sku

# The best plan depends on which filters are there.
PAGE = text(f"""
select t.*, s.skus, s.quantity, s.open
from (
  select {HEAD} from inventory.transfers t
  where (cast(:status as text) is null or status = :status)
    and (cast(:location as text) is null or :location in (origin, destination))
    and (cast(:sku as text) is null
      or exists (select from inventory.transfer_lines l where l.transfer_id = t.id and l.sku = :sku))
    and (cast(:before as timestamptz) is null or (created_at, id) < (:before, cast(:before_id as uuid)))
  order by created_at desc, id desc
  limit :count
) t
cross join lateral (
  select count(*) as skus, coalesce(sum(l.quantity), 0)::bigint as quantity, coalesce(sum({OPEN}), 0)::bigint as open
  from inventory.transfer_lines l where l.transfer_id = t.id
) s
order by t.created_at desc, t.id desc
""").execution_options(planned="anew")  # noqa: S608 - of constants


class ListTransfers(Paged):
    """`location` is the origin or the destination, `sku` one that is among the lines."""

    status: TransferStatus | None = None
    location: LocationId | None = None
    sku: Sku | None = None


class ListedTransfer(Head):
    """So many SKUs and units, of which so many are still on their way."""

    skus: int
    quantity: int
    open: int


@http("GET /v1/transfers", role=("admin", "service"), reads=[transfers, transfer_lines])
async def list_transfers(request: ListTransfers, work: Work) -> Page[ListedTransfer]:
    before, before_id = key_of(request.cursor, datetime.fromisoformat, UUID) or (None, None)
    rows = await work.db.all(
        PAGE,
        status=request.status,
        location=request.location,
        sku=request.sku,
        before=before,
        before_id=before_id,
        count=request.limit + 1,
    )
    items = [ListedTransfer.model_validate(row, from_attributes=True) for row in rows[: request.limit]]
    return Page(items, (items[-1].created_at, items[-1].id) if len(rows) > request.limit else None)
