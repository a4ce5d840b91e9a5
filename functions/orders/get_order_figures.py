"""Tell what becomes of orders: confirmed, cancelled, refused, and why (ORD-014)."""

from datetime import date

from sqlalchemy import text

from shared.orders.figures_asked import CHOSEN, TIME_ZONE, By, InTime, share
from shared.orders.figures_tables import figures_policy, sales_days
from shared.orders.problems import TooManyFigures
from shared.runtime import View, Work, http
from shared.vocabulary import Currency

MOST = 5000

OUTCOMES = text(f"""
select date_trunc(:by, day)::date as starts_on,
  coalesce(sum(facts) filter (where kind = 'sale'), 0)::bigint as confirmed,
  coalesce(sum(facts) filter (where kind = 'cancellation'), 0)::bigint as cancelled,
  coalesce(sum(facts) filter (where kind = 'withdrawn'), 0)::bigint as withdrawn,
  coalesce(sum(facts) filter (where kind = 'rejected'), 0)::bigint as rejected,
  coalesce(sum(facts) filter (where kind = 'expired'), 0)::bigint as expired,
  coalesce(sum(facts) filter (where kind = 'refund'), 0)::bigint as refunds
from orders.sales_days where {CHOSEN} group by 1 order by 1 limit {MOST + 1}
""").execution_options(planned="anew")  # noqa: S608 - of constants

REASONS = text(f"""
select kind as outcome, reason, sum(facts)::bigint as orders
from orders.sales_days where {CHOSEN} and kind in ('cancellation', 'withdrawn', 'rejected', 'expired')
group by kind, reason order by orders desc, kind, reason
""").execution_options(planned="anew")  # noqa: S608 - of constants


class GetOrderFigures(InTime):
    by: By = "month"
    currency: Currency | None = None
    country: str | None = None


class Outcomes(View):
    """`withdrawn` was cancelled before it was confirmed. `refunds` are those of returned goods and of goodwill.

    `cancel_share` is cancelled of confirmed, `loss_share` what never was confirmed, of all that ended.
    """

    starts_on: date
    confirmed: int
    cancelled: int
    withdrawn: int
    rejected: int
    expired: int
    refunds: int
    cancel_share: float | None
    refunds_per_order: float | None
    loss_share: float | None


class Reason(View):
    outcome: str
    reason: str
    orders: int


class OrderFigures(View):
    time_zone: str
    figures: list[Outcomes]
    reasons: list[Reason]


@http("GET /v1/figures/orders", role=("operator", "admin"), reads=[sales_days, figures_policy])
async def get_order_figures(request: GetOrderFigures, work: Work) -> OrderFigures:
    """Orders are of the day on which they were placed, a cancellation of its own. Raises TooManyFigures."""
    chosen = {**request.time, "currency": request.currency, "country": request.country}
    rows = await work.db.all(OUTCOMES, by=request.by, **chosen)
    if len(rows) > MOST:
        raise TooManyFigures(most=MOST)
    reasons = await work.db.all(REASONS, **chosen)
    figures = []
    for row in rows:
        lost = row.withdrawn + row.rejected + row.expired
        figures.append(
            Outcomes(
                **row._asdict(),
                cancel_share=share(row.cancelled, row.confirmed),
                refunds_per_order=share(row.refunds, row.confirmed),
                loss_share=share(lost, lost + row.confirmed),
            )
        )
    return OrderFigures(
        time_zone=await work.db.value(TIME_ZONE),
        figures=figures,
        reasons=[Reason(**row._asdict()) for row in reasons],
    )
