"""The figures are the books': confirmed sales by their month, refunds by theirs, in UTC."""

import json
from typing import Any

from functions.platform.get_sales_figures import get_sales_figures
from tests.conftest import Ask, Books

FILL = """
insert into orders.orders (id, number, customer_id, recorded, placed_at, currency, total_minor, payment_token, status,
  version, created_at)
select gen_random_uuid(), n::text, 'ann', true, at::timestamptz, currency, total, 't', status, 1, now()
from (values (1, '2010-12-31T23:59:59Z', 'GBP', 100, 'confirmed'),
  (2, '2011-01-01T00:30:00+01:00', 'GBP', 20, 'confirmed'),
  (3, '2011-01-01T00:00:00Z', 'GBP', 3, 'confirmed'), (4, '2011-01-05T00:00:00Z', 'GBP', 7, 'cancelled'),
  (5, '2011-01-05T00:00:00Z', 'EUR', 9, 'confirmed')) o (n, at, currency, total, status)
"""
LINES = """
insert into orders.order_lines (order_id, line_no, sku, title, quantity, unit_price_minor, total_minor)
select id, 1, 'mug', 'Mug', 1, total_minor, total_minor from orders.orders
"""
RETURNS = """
insert into orders.returns (id, customer_id, sku, quantity, unit_price_minor, currency, returned_at, reason, actor,
  created_at)
select gen_random_uuid(), 'ann', 'mug', 1, n, 'GBP', at::timestamptz, status, 'a', now()
from (values (5, '2011-02-01T00:00:00Z', 'succeeded'), (6, '2011-02-28T23:59:00Z', 'succeeded'),
  (7, '2011-02-02T00:00:00Z', 'requested')) r (n, at, status)
"""
RETURN_LINES = """
insert into orders.return_lines (return_id, refund_id, order_id, line_no, quantity, amount_minor, status)
select r.id, gen_random_uuid(), o.id, 1, 1, r.unit_price_minor, r.reason
from orders.returns r, orders.orders o where o.number = '1'
"""


async def figures(ask: Ask, query: str = "") -> Any:
    answer = await ask(get_sales_figures, f"/v1/figures/sales{query}", roles=("operator",))
    return json.loads(answer.body)


async def test_sales_and_refunds_by_month(ask: Ask, db: Books) -> None:
    for statement in (FILL, LINES, RETURNS, RETURN_LINES):
        await db.run(statement)

    assert await figures(ask) == {
        "currency": "GBP",
        "sales_minor_by_month": {"2010-12": 120, "2011-01": 3},
        "refunds_minor_by_month": {"2011-02": 11},
        "orders_by_status": {"cancelled": 1, "confirmed": 4},
    }
    assert (await figures(ask, "?currency=EUR"))["sales_minor_by_month"] == {"2011-01": 9}


async def test_an_empty_shop_has_no_figures(ask: Ask) -> None:
    told = await figures(ask)

    assert (told["sales_minor_by_month"], told["orders_by_status"]) == ({}, {})


async def test_customers_are_not_told(ask: Ask) -> None:
    assert (await ask(get_sales_figures, "/v1/figures/sales", roles=("customer",))).status == 403
    assert (await ask(get_sales_figures, "/v1/figures/sales", roles=("admin",))).status == 200
