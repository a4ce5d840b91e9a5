"""List the discounts by code with how often they were used, in keyset pages (ORD-004)."""

from sqlalchemy import text

from shared.orders.discount_views import COLUMNS, DiscountView
from shared.orders.pricing_tables import discounts
from shared.runtime import Page, Paged, Work, http, key_of

PAGE = text(f"select {COLUMNS} from orders.discounts where code > :after order by code limit :count")  # noqa: S608


class ListDiscounts(Paged):
    pass


@http("GET /v1/admin/discounts", role="admin", reads=[discounts])
async def list_discounts(request: ListDiscounts, work: Work) -> Page[DiscountView]:
    (after,) = key_of(request.cursor, str) or ("",)
    rows = await work.db.all(PAGE, after=after, count=request.limit + 1)
    shown = [DiscountView(**row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].code,) if len(rows) > request.limit else None)
