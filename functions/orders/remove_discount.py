"""Remove a discount that nobody has used (ORD-004)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.pricing_tables import discount_uses, discounts
from shared.orders.problems import DiscountInUse, UnknownDiscount
from shared.orders.tables import audit
from shared.orders.wanting import Code
from shared.runtime import Request, Work, http

LOCK = text("select uses from orders.discounts where code = :code for update")

REMOVE = text("""
delete from orders.discounts where code = :code and not exists (
  select from orders.discount_uses where code = :code)
""")


class RemoveDiscount(Request):
    code: Code


@http("DELETE /v1/admin/discounts/{code}", role="admin", status=204, reads=[discount_uses], writes=[discounts, audit])
async def remove_discount(request: RemoveDiscount, work: Work) -> None:
    """One that orders have used stays in the books: disable it instead. Raises UnknownDiscount, DiscountInUse."""
    code = request.code.upper()
    row = await work.db.one(LOCK, code=code)
    if row is None:
        raise UnknownDiscount(code=code)
    if not await work.db.run(REMOVE, code=code):
        raise DiscountInUse(code=code, uses=row.uses)
    await record(work, "discount.removed", code=code)
