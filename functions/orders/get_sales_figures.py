"""Tell what was sold, cancelled and refunded, by day, week or month, country or category (ORD-014)."""

from datetime import date
from typing import Literal

from sqlalchemy import TextClause, text

from shared.catalog.tables import categories
from shared.orders.figures_asked import CHOSEN, IN_CATEGORY, MONEY, TIME_ZONE, By, Chosen, share
from shared.orders.figures_tables import figures_policy, product_days, sales_days
from shared.orders.problems import TooManyFigures
from shared.runtime import View, Work, http

MOST = 5000

ORDERS = "coalesce(sum(facts) filter (where kind = 'sale'), 0)::bigint"


def _statement(split: str, *, lines: bool) -> TextClause:
    """Whole orders, with their shipping, or their lines."""
    return text(f"""
select date_trunc(:by, day)::date as starts_on, currency, {split} as split,
  {"cast(null as bigint)" if lines else ORDERS} as orders, {MONEY}
from orders.{"product_days" if lines else "sales_days"} d
{"left join catalog.categories c on c.id::text = d.category" if lines else ""}
where {CHOSEN} {f"and {IN_CATEGORY}" if lines else ""} and kind in ('sale', 'cancellation', 'short', 'refund')
group by 1, 2, 3 order by 1, 2, 3 limit {MOST + 1}
""").execution_options(planned="anew")  # noqa: S608 - of constants


STATEMENTS = {
    (split, lines): _statement(column, lines=lines)
    for split, column, both in (
        (None, "''", True),
        ("country", "country", True),
        ("category", "coalesce(c.slug, d.category)", False),
    )
    for lines in ((False, True) if both else (True,))
}


class GetSalesFigures(Chosen):
    by: By = "month"
    split: Literal["country", "category"] | None = None


class Sales(View):
    """Money in minor units of `currency`. `net_minor` is gross less cancelled less refunded.

    `orders` and what follows from it are null where lines are counted: an order may be of several categories.
    """

    starts_on: date
    currency: str
    split: str | None
    orders: int | None
    units: int
    units_back: int
    gross_minor: int
    cancelled_minor: int
    refunded_minor: int
    net_minor: int
    average_order_minor: int | None
    refund_share: float | None


class SalesFigures(View):
    """By `category`, or of one, lines are counted, without shipping; else whole orders."""

    time_zone: str
    figures: list[Sales]


@http("GET /v1/figures/sales", role=("operator", "admin"), reads=[sales_days, product_days, figures_policy, categories])
async def get_sales_figures(request: GetSalesFigures, work: Work) -> SalesFigures:
    """A sale is of the day of its order, a cancellation of its own, a refund of that on which the goods came back.

    What has no figures is left out. Raises NoSuchCategory, TooManyFigures.
    """
    chosen = await request.values(work)
    lines = request.category is not None or request.split == "category"
    if not lines:
        del chosen["categories"]
    rows = await work.db.all(STATEMENTS[request.split, lines], by=request.by, **chosen)
    if len(rows) > MOST:
        raise TooManyFigures(most=MOST)
    return SalesFigures(
        time_zone=await work.db.value(TIME_ZONE),
        figures=[
            Sales(
                **{**row._asdict(), "split": row.split or None},
                average_order_minor=round(row.gross_minor / row.orders) if row.orders else None,
                refund_share=share(row.refunded_minor, row.gross_minor),
            )
            for row in rows
        ],
    )
