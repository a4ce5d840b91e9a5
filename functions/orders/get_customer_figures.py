"""Tell how often customers buy: orders per customer, new and returning, cohorts by their first month (ORD-014)."""

from datetime import date

from sqlalchemy import text

from shared.orders.figures_asked import InTime, share
from shared.orders.figures_tables import sales_facts
from shared.orders.tables import orders
from shared.runtime import View, Work, http

# An order that was cancelled afterwards is none here. Who came first is told by all time, who came at all by the time
# that is asked for.
_BOUGHT = """
with bought as materialized (
  select o.customer_id, s.day, min(s.day) over (partition by o.customer_id) as first_day
  from orders.sales_facts s
  join orders.orders o on o.id = s.order_id
  where s.kind = 'sale' and not exists (
    select from orders.sales_facts c where c.id = s.id and c.kind = 'cancellation')
), asked as (
  select * from bought
  where (cast(:since as date) is null or day >= :since) and (cast(:until as date) is null or day <= :until)
)
"""

PER_CUSTOMER = text(f"""
{_BOUGHT}
select orders, count(*) as customers,
  count(*) filter (where cast(:since as date) is null or first_day >= :since) as new
from (
  select customer_id, first_day, count(*) as orders from asked where customer_id is not null
  group by customer_id, first_day
) c group by orders
union all
select 0, count(*), 0 from asked where customer_id is null
order by orders
""").execution_options(planned="anew")  # noqa: S608 - of constants

COHORTS = text(f"""
{_BOUGHT}
select date_trunc('month', first_day)::date as month,
  (extract(year from age(date_trunc('month', day), date_trunc('month', first_day))) * 12
    + extract(month from age(date_trunc('month', day), date_trunc('month', first_day))))::int as months_later,
  count(distinct customer_id) as customers, count(*) as orders
from bought
where customer_id is not null
  and (cast(:since as date) is null or first_day >= :since) and (cast(:until as date) is null or first_day <= :until)
group by 1, 2 order by 1, 2
""").execution_options(planned="anew")  # noqa: S608 - of constants


class GetCustomerFigures(InTime):
    pass


class Often(View):
    orders: int
    customers: int


class CohortMonth(View):
    """`share` is of the cohort's customers, who are those of its month 0."""

    months_later: int
    customers: int
    orders: int
    share: float | None


class Cohort(View):
    """Those whose first order was in this month, and how many of them came again."""

    month: date
    customers: int
    months: list[CohortMonth]


class CustomerFigures(View):
    """A returning customer has bought before `from`. Guests are nobody: their orders are counted apart."""

    customers: int
    new_customers: int
    returning_customers: int
    repeat_customers: int
    repeat_share: float | None
    orders_per_customer: float | None
    guest_orders: int
    distribution: list[Often]
    cohorts: list[Cohort]


@http("GET /v1/figures/customers", role=("operator", "admin"), cache_s=60, reads=[sales_facts, orders])
async def get_customer_figures(request: GetCustomerFigures, work: Work) -> CustomerFigures:
    """Cohorts are of the customers whose first order was in the time asked for, with all that they bought since."""
    counted = await work.db.all(PER_CUSTOMER, **request.time)
    found = await work.db.all(COHORTS, **request.time)
    rows = [row for row in counted if row.orders]
    customers = sum(row.customers for row in rows)
    new = sum(row.new for row in rows)
    repeating = sum(row.customers for row in rows if row.orders > 1)
    sizes = {row.month: row.customers for row in found if row.months_later == 0}
    return CustomerFigures(
        customers=customers,
        new_customers=new,
        returning_customers=customers - new,
        repeat_customers=repeating,
        repeat_share=share(repeating, customers),
        orders_per_customer=share(sum(row.orders * row.customers for row in rows), customers),
        guest_orders=sum(row.customers for row in counted if not row.orders),
        distribution=[Often(orders=row.orders, customers=row.customers) for row in rows],
        cohorts=[
            Cohort(
                month=month,
                customers=size,
                months=[
                    CohortMonth(
                        months_later=row.months_later,
                        customers=row.customers,
                        orders=row.orders,
                        share=share(row.customers, size),
                    )
                    for row in found
                    if row.month == month
                ],
            )
            for month, size in sizes.items()
        ],
    )
