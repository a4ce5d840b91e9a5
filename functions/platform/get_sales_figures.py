"""Sum up sales and refunds by month, and count the orders, from the books themselves."""

from sqlalchemy import text

from shared.orders.tables import orders, return_lines, returns
from shared.runtime import Request, View, Work, http
from shared.vocabulary import Currency

SALES = text("""
select to_char(placed_at at time zone 'UTC', 'YYYY-MM') as month, sum(total_minor)::bigint as total_minor
from orders.orders where status = 'confirmed' and currency = :currency
group by month order by month
""")

REFUNDS = text("""
select to_char(r.returned_at at time zone 'UTC', 'YYYY-MM') as month, sum(l.amount_minor)::bigint as total_minor
from orders.return_lines l join orders.returns r on r.id = l.return_id
where l.status = 'succeeded' and r.currency = :currency
group by month order by month
""")

STATUSES = text("select status, count(*) as orders from orders.orders group by status order by status")


class GetSalesFigures(Request):
    currency: Currency = "GBP"


class SalesFigures(View):
    """Money in minor units of `currency`, by month in UTC: sales when they were placed, refunds when goods came back.

    `orders_by_status` counts orders of every currency.
    """

    currency: str
    sales_minor_by_month: dict[str, int]
    refunds_minor_by_month: dict[str, int]
    orders_by_status: dict[str, int]


@http("GET /v1/figures/sales", role=("operator", "admin"), reads=[orders, returns, return_lines])
async def get_sales_figures(request: GetSalesFigures, work: Work) -> SalesFigures:
    """Sales are those of confirmed orders; refunds those of returned goods that the provider has paid out."""
    return SalesFigures(
        currency=request.currency,
        sales_minor_by_month=dict(await work.db.all(SALES, currency=request.currency)),
        refunds_minor_by_month=dict(await work.db.all(REFUNDS, currency=request.currency)),
        orders_by_status=dict(await work.db.all(STATUSES)),
    )
