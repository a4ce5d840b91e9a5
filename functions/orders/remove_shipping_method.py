"""Remove a way of shipping; orders that name it keep it (ORD-004)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.pricing_tables import shipping_methods
from shared.orders.problems import UnknownShippingMethod
from shared.orders.tables import audit
from shared.orders.wanting import Code
from shared.runtime import Request, Work, http

REMOVE = text("delete from orders.shipping_methods where code = :code")


class RemoveShippingMethod(Request):
    code: Code


@http("DELETE /v1/admin/shipping-methods/{code}", role="admin", status=204, writes=[shipping_methods, audit])
async def remove_shipping_method(request: RemoveShippingMethod, work: Work) -> None:
    """Raises UnknownShippingMethod."""
    if not await work.db.run(REMOVE, code=request.code):
        raise UnknownShippingMethod(code=request.code)
    await record(work, "shipping_method.removed", code=request.code)
