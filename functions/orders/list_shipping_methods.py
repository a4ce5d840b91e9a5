"""List the ways of shipping with their prices, in the order in which they are offered (ORD-004)."""

from sqlalchemy import text

from shared.orders.pricing_tables import shipping_methods
from shared.orders.shipping_methods import ShippingMethod
from shared.runtime import Page, Paged, Work, http, key_of

PAGE = text("""
select code, name, basis, currency, bands, countries, tax_class, free_from_minor, position, enabled
from orders.shipping_methods where (position, code) > (:position, :code) order by position, code limit :count
""")


class ListShippingMethods(Paged):
    pass


@http("GET /v1/admin/shipping-methods", role="admin", reads=[shipping_methods])
async def list_shipping_methods(request: ListShippingMethods, work: Work) -> Page[ShippingMethod]:
    position, code = key_of(request.cursor, int, str) or (-1, "")
    rows = await work.db.all(PAGE, position=position, code=code, count=request.limit + 1)
    shown = [ShippingMethod(**row._asdict()) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].position, shown[-1].code) if len(rows) > request.limit else None)
