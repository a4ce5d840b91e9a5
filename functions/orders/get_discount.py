"""Show a discount, how often it was used, and by which orders lately (ORD-004)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.orders.discount_views import COLUMNS, DiscountView
from shared.orders.pricing_tables import discount_uses, discounts
from shared.orders.problems import UnknownDiscount
from shared.orders.tables import orders
from shared.orders.wanting import Code
from shared.runtime import Request, View, Work, http

FIND = text(f"select {COLUMNS} from orders.discounts where code = :code")  # noqa: S608 - of constants

LATEST = text("""
select u.order_id, o.number, o.status, u.amount_minor, u.used_at, u.given_back_at
from orders.discount_uses u join orders.orders o on o.id = u.order_id
where u.code = :code order by u.used_at desc, u.order_id desc limit 20
""")


class GetDiscount(Request):
    code: Code


class DiscountUse(View):
    """`given_back_at` is when the order had ended without a sale."""

    order_id: UUID
    number: str
    status: str
    amount_minor: int
    used_at: datetime
    given_back_at: datetime | None


class DiscountDetails(DiscountView):
    """`latest_uses` are the last twenty, the newest first."""

    latest_uses: list[DiscountUse]


@http("GET /v1/admin/discounts/{code}", role="admin", reads=[discounts, discount_uses, orders])
async def get_discount(request: GetDiscount, work: Work) -> DiscountDetails:
    """Raises UnknownDiscount."""
    code = request.code.upper()
    latest = work.db.enqueue(LATEST, code=code)
    row = await work.db.one(FIND, code=code)
    if row is None:
        raise UnknownDiscount(code=code)
    uses = [DiscountUse(**use._asdict()) for use in await latest.all()]
    return DiscountDetails(**row._asdict(), latest_uses=uses)
