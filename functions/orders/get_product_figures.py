"""Tell which products sell most (ORD-014)."""

from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import text

from shared.catalog.tables import categories, products, variants
from shared.orders.figures_asked import CHOSEN, IN_CATEGORY, MONEY, Chosen
from shared.orders.figures_tables import product_days
from shared.runtime import View, Work, http

ORDERS = ("gross", "net", "units")

TOP = {
    name: text(f"""
select s.*, p.title from (
  select sku, currency, {MONEY} from orders.product_days where {CHOSEN} and {IN_CATEGORY} group by sku, currency
  order by {"units" if name == "units" else f"{name}_minor"} desc, sku, currency limit :count
) s
left join catalog.variants v on v.sku = s.sku
left join catalog.products p on p.id = v.product_id
order by {"units" if name == "units" else f"{name}_minor"} desc, s.sku, s.currency
""").execution_options(planned="anew")  # noqa: S608 - of constants
    for name in ORDERS
}


class GetProductFigures(Chosen):
    """The first `limit` by gross or net revenue or by units."""

    order: Literal["gross", "net", "units"] = "gross"
    limit: Annotated[int, Field(ge=1, le=1000)] = 10


class ProductSales(View):
    """`title` is what the catalogue calls it now; null when it is not there. Shipping is no product's."""

    sku: str
    title: str | None
    currency: str
    units: int
    units_back: int
    gross_minor: int
    cancelled_minor: int
    refunded_minor: int
    net_minor: int


class ProductFigures(View):
    products: list[ProductSales]


@http(
    "GET /v1/figures/products",
    role=("operator", "admin"),
    reads=[product_days, categories, products, variants],
)
async def get_product_figures(request: GetProductFigures, work: Work) -> ProductFigures:
    """Amounts of different currencies are not comparable: name one. Raises NoSuchCategory."""
    chosen = await request.values(work)
    rows = await work.db.all(TOP[request.order], count=request.limit, **chosen)
    return ProductFigures(products=[ProductSales(**row._asdict()) for row in rows])
