"""List products for their keepers, on sale or not, by slug (PROD-003)."""

from shared.catalog.content import Product, Status
from shared.catalog.products import product_of, products_where
from shared.catalog.tables import products, variants
from shared.runtime import Page, Paged, Work, http, key_of

PAGE = products_where("p.slug > :after order by p.slug limit :count")
PAGE_OF_STATUS = products_where("p.status = :status and p.slug > :after order by p.slug limit :count")


class InspectProducts(Paged):
    status: Status | None = None


@http("GET /v1/admin/products", role="admin", reads=[products, variants])
async def inspect_products(request: InspectProducts, work: Work) -> Page[Product]:
    (after,) = key_of(request.cursor, str) or ("",)
    bound = {"after": after, "count": request.limit + 1}
    if request.status is None:
        rows = await work.db.all(PAGE, **bound)
    else:
        rows = await work.db.all(PAGE_OF_STATUS, status=request.status, **bound)
    shown = [product_of(row) for row in rows[: request.limit]]
    return Page(shown, (shown[-1].slug,) if len(rows) > request.limit else None)
