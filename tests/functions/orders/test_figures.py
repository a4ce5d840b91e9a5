"""Figures are the books': whatever order events come in, by the shop's clock, to the penny."""

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from functions.orders.count_figures import count_figures
from functions.orders.get_customer_figures import get_customer_figures
from functions.orders.get_order_figures import get_order_figures
from functions.orders.get_product_figures import get_product_figures
from functions.orders.get_sales_figures import get_sales_figures
from functions.orders.rebuild_figures import rebuild_figures
from functions.orders.set_figures_policy import set_figures_policy
from shared.orders.events import OrderCancelled, OrderCompleted, OrderConfirmed, OrderRejected
from shared.orders.saga import SAGA
from shared.payments.events import RefundSucceeded
from shared.runtime import Event
from shared.runtime.answers import Answer
from tests.conftest import Ask, Books
from tests.functions.orders.sold import cancelled, never_sold, refunded, sold

Deliver = Callable[..., Awaitable[Answer]]

MUGS = UUID("00000000-0000-7000-8000-000000000001")
BLUE = UUID("00000000-0000-7000-8000-000000000002")


def confirmed(order: UUID) -> Event:
    return OrderConfirmed(order_id=order, currency="GBP", total_minor=0)


def gone(order: UUID) -> Event:
    return OrderCancelled(order_id=order, reason="changed my mind")


def paid_back(order: UUID, refund: UUID) -> Event:
    key = f"refund/{refund}"
    return RefundSucceeded(order_id=order, refund_id=refund, command_key=key, amount_minor=1, currency="GBP")


async def told(ask: Ask, function: Any, path: str) -> Any:
    answer = await ask(function, path, roles=("operator",))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def sales(ask: Ask, query: str = "") -> Any:
    return (await told(ask, get_sales_figures, f"/v1/figures/sales{query}"))["figures"]


async def all_rows(db: Books) -> list[Any]:
    days = await db.all("select * from orders.sales_days where facts <> 0 order by 1, 2, 3, 4, 5")
    return [*days, *await db.all("select * from orders.product_days order by 1, 2, 3, 4, 5, 6")]


async def forget(db: Books) -> None:
    await db.run("truncate orders.sales_facts, orders.sales_days, orders.product_days")


async def rebuilt(ask: Ask, part: str, **more: Any) -> Any:
    answer = await ask(rebuild_figures, "/v1/admin/figures-rebuild", {"part": part, **more}, roles=("operator",))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def test_a_sale_its_refund_and_a_cancellation_each_on_its_day(ask: Ask, db: Books, deliver: Deliver) -> None:
    first = await sold(db, ("mug", 2, 1000), ("tea", 1, 500), at="2026-01-10T10:00:00Z", shipping=300)
    second = await sold(db, ("mug", 1, 1000), at="2026-01-11T10:00:00Z")
    refund = await refunded(db, first, 900, at="2026-02-03T10:00:00Z", line=1)
    await cancelled(db, second, at="2026-02-20T10:00:00Z")
    for event in (confirmed(first), confirmed(second), paid_back(first, refund), gone(second)):
        assert (await deliver(count_figures, event)).status == 204

    january, february = await sales(ask)

    assert january == {
        "starts_on": "2026-01-01", "currency": "GBP", "split": None, "orders": 2, "units": 4, "units_back": 0,
        "gross_minor": 3800, "cancelled_minor": 0, "refunded_minor": 0, "net_minor": 3800,
        "average_order_minor": 1900, "refund_share": 0.0,
    }  # fmt: skip
    assert (february["cancelled_minor"], february["refunded_minor"], february["net_minor"]) == (1000, 900, -1900)
    assert (february["orders"], february["units_back"], february["average_order_minor"]) == (0, 2, None)


async def test_no_order_of_events_matters(ask: Ask, db: Books, deliver: Deliver) -> None:
    """Also twice each: the figures are those that the books give."""
    order = await sold(db, ("mug", 3, 700), at="2026-01-10T10:00:00Z", shipping=100)
    refund = await refunded(db, order, 700, at="2026-01-12T10:00:00Z", line=1)
    await cancelled(db, order, at="2026-01-15T10:00:00Z")
    events = (confirmed(order), paid_back(order, refund), gone(order))
    seen = []
    for ordered in itertools.permutations(events):
        for event in (*ordered, ordered[0]):
            assert (await deliver(count_figures, event)).status == 204
        seen.append(await all_rows(db))
        await forget(db)

    assert all(rows == seen[0] for rows in seen)
    assert {(row.kind, row.amount_minor) for row in seen[0] if hasattr(row, "facts")} == {
        ("sale", 2200), ("refund", 700), ("cancellation", 1500),
    }  # fmt: skip


async def test_what_was_paid_back_for_a_cancellation_is_no_refund(ask: Ask, db: Books, deliver: Deliver) -> None:
    order = await sold(db, ("mug", 1, 1000))
    await cancelled(db, order, at="2026-03-02T10:00:00Z")
    key = f"{order}/refund"
    event = RefundSucceeded(order_id=order, refund_id=order, command_key=key, amount_minor=1000, currency="GBP")
    await deliver(count_figures, event)

    (march,) = await sales(ask)

    assert (march["gross_minor"], march["cancelled_minor"], march["refunded_minor"]) == (1000, 1000, 0)


async def test_lines_that_were_never_charged_are_taken_out_of_a_completed_order(
    ask: Ask, db: Books, deliver: Deliver
) -> None:
    order = await sold(db, ("mug", 4, 250), ("tea", 1, 90), captured=590, status="completed")
    await db.run("update orders.order_lines set cancelled_quantity = 2 where sku = 'mug'")
    await deliver(count_figures, OrderCompleted(order_id=order, currency="GBP", total_minor=1090))

    (march,) = await sales(ask)
    products = (await told(ask, get_product_figures, "/v1/figures/products"))["products"]

    assert (march["gross_minor"], march["cancelled_minor"], march["net_minor"]) == (1090, 500, 590)
    assert [(one["sku"], one["units"], one["units_back"], one["net_minor"]) for one in products] == [
        ("mug", 4, 2, 500), ("tea", 1, 0, 90),
    ]  # fmt: skip


async def test_days_are_those_of_the_shops_clock(ask: Ask, db: Books, deliver: Deliver) -> None:
    """On the night of the change to summer time, too: 23:30 UTC before it is 23:30, after it is 00:30 of the next."""
    answer = await ask(set_figures_policy, "/v1/figures-policy", {"time_zone": "Europe/London"}, roles=("admin",))
    assert answer.status == 200
    for at in ("2026-03-28T23:30:00Z", "2026-03-29T23:30:00Z", "2026-03-31T23:30:00Z"):
        await deliver(count_figures, confirmed(await sold(db, ("mug", 1, 1), at=at)))

    days = await sales(ask, "?by=day")
    months = await sales(ask, "?by=month")
    weeks = await sales(ask, "?by=week")

    assert [one["starts_on"] for one in days] == ["2026-03-28", "2026-03-30", "2026-04-01"]
    assert [(one["starts_on"], one["orders"]) for one in months] == [("2026-03-01", 2), ("2026-04-01", 1)]
    assert [(one["starts_on"], one["orders"]) for one in weeks] == [("2026-03-23", 1), ("2026-03-30", 2)]


async def test_another_clock_moves_what_was_counted_by_the_rebuild(ask: Ask, db: Books, deliver: Deliver) -> None:
    order = await sold(db, ("mug", 1, 5), at="2026-06-30T23:30:00Z")
    await deliver(count_figures, confirmed(order))
    await ask(set_figures_policy, "/v1/figures-policy", {"time_zone": "Europe/London"}, roles=("admin",))

    compared = await rebuilt(ask, "facts")
    assert compared["differences"] == [{"key": str(order), "what": ["sale: day"]}]
    assert (await rebuilt(ask, "facts", mend=True))["mended"]

    assert (await rebuilt(ask, "facts"))["differences"] == []
    assert (await rebuilt(ask, "days"))["differences"] == []
    assert [one["starts_on"] for one in await sales(ask)] == ["2026-07-01"]


async def test_a_time_zone_that_is_none(ask: Ask) -> None:
    for zone in ("Europe/Atlantis", "' or true", "UTC\u0000"):
        answer = await ask(set_figures_policy, "/v1/figures-policy", {"time_zone": zone}, roles=("admin",))
        assert answer.status == 422


async def test_the_rebuild_from_nothing_gives_what_events_gave(ask: Ask, db: Books, deliver: Deliver) -> None:
    for n in range(12):
        order = await sold(db, ("mug", n + 1, 100), ("tea", 2, 50), at=f"2026-01-{n + 1:02}T10:00:00Z", country="GB")
        await deliver(count_figures, confirmed(order))
        if n % 3 == 0:
            refund = await refunded(db, order, 40, at=f"2026-02-{n + 1:02}T10:00:00Z", line=2)
            await deliver(count_figures, paid_back(order, refund))
        if n % 4 == 0:
            await cancelled(db, order, at=f"2026-03-{n + 1:02}T10:00:00Z")
            await deliver(count_figures, gone(order))
    before = await all_rows(db)
    await forget(db)

    after, found = None, 0
    while True:
        answer = await rebuilt(ask, "facts", mend=True, limit=5, **({"after": after} if after else {}))
        found += len(answer["differences"])
        if (after := answer["after"]) is None:
            break

    assert found == 12
    assert await all_rows(db) == before
    assert (await rebuilt(ask, "days"))["differences"] == []


@pytest.mark.parametrize(
    ("broken", "part", "what"),
    [
        ("update orders.sales_days set amount_minor = amount_minor + 1", "days", "totals: 1 rows"),
        ("delete from orders.product_days where sku = 'mug'", "days", "products: 1 rows"),
        ("update orders.sales_facts set amount_minor = 1", "facts", "sale: amount"),
        ("update orders.sales_facts set units = 9, reason = 'x'", "facts", "sale: reason, units"),
        ("update orders.sales_facts set kind = 'expired'", "facts", "expired: stray"),
        ("delete from orders.sales_facts", "facts", "sale: missing"),
    ],
)
async def test_the_rebuild_finds_and_mends(
    ask: Ask, db: Books, deliver: Deliver, broken: str, part: str, what: str
) -> None:
    await deliver(count_figures, confirmed(await sold(db, ("mug", 1, 100), ("tea", 2, 30))))
    before = await all_rows(db)
    await db.run(broken)

    (found,) = (await rebuilt(ask, part))["differences"]
    assert what in found["what"]
    (mended,) = (await rebuilt(ask, part, mend=True))["differences"]

    assert mended == found
    assert (await rebuilt(ask, part))["differences"] == []
    assert await all_rows(db) == before


async def test_by_country_and_of_one(ask: Ask, db: Books, deliver: Deliver) -> None:
    await db.run("insert into orders.customers values ('eve', null, null, 'Eire', now(), now())")
    for country, customer in (("GB", "ann"), (None, "eve"), (None, None), ("GB", "eve")):
        await deliver(count_figures, confirmed(await sold(db, ("mug", 1, 100), country=country, customer=customer)))

    split = await sales(ask, "?split=country")

    assert [(one["split"], one["orders"]) for one in split] == [(None, 1), ("Eire", 1), ("GB", 2)]
    assert [one["orders"] for one in await sales(ask, "?country=Eire")] == [1]


async def test_by_category_and_of_one_with_those_below(ask: Ask, db: Books, deliver: Deliver) -> None:
    for id, slug, parent in ((MUGS, "mugs", None), (BLUE, "blue", MUGS)):
        await db.run(
            "insert into catalog.categories (id, slug, name, parent_id, ancestors, position, version, created_at,"
            " updated_at) values (%(id)s, %(slug)s, 'x', %(parent)s, %(above)s, 0, 1, now(), now())",
            id=id, slug=slug, parent=parent, above=[parent] if parent else [],
        )  # fmt: skip
    for category, price in ((MUGS, 100), (BLUE, 20), (None, 3)):
        order = await sold(db, ("mug", 1, price), shipping=7, category=category)
        await deliver(count_figures, confirmed(order))

    split = await sales(ask, "?split=category")

    assert {one["split"]: one["gross_minor"] for one in split} == {None: 3, "blue": 20, "mugs": 100}
    assert split[0]["orders"] is None
    for asked, gross in (("mugs", 120), ("blue", 20), (str(MUGS), 120)):
        assert [one["gross_minor"] for one in await sales(ask, f"?category={asked}")] == [gross]
    top = (await told(ask, get_product_figures, "/v1/figures/products?category=blue"))["products"]
    assert [one["gross_minor"] for one in top] == [20]


async def test_currencies_are_never_added_up(ask: Ask, db: Books, deliver: Deliver) -> None:
    for currency in ("GBP", "EUR"):
        await deliver(count_figures, confirmed(await sold(db, ("mug", 1, 100), currency=currency)))

    assert [(one["currency"], one["gross_minor"]) for one in await sales(ask)] == [("EUR", 100), ("GBP", 100)]
    assert [one["currency"] for one in await sales(ask, "?currency=EUR")] == ["EUR"]


async def test_products_by_what_is_asked(ask: Ask, db: Books, deliver: Deliver) -> None:
    dear = await sold(db, ("dear", 1, 900))
    refund = await refunded(db, dear, 800, at="2026-03-02T10:00:00Z", line=1)
    for order in (dear, await sold(db, ("cheap", 50, 10)), await sold(db, ("middle", 3, 200))):
        await deliver(count_figures, confirmed(order))
    await deliver(count_figures, paid_back(dear, refund))

    async def skus(query: str) -> list[str]:
        answer = await told(ask, get_product_figures, f"/v1/figures/products{query}")
        return [one["sku"] for one in answer["products"]]

    assert await skus("") == ["dear", "middle", "cheap"]
    assert await skus("?order=net") == ["middle", "cheap", "dear"]
    assert await skus("?order=units&limit=1") == ["cheap"]
    assert await skus("?from=2026-03-02") == ["dear"]


async def test_customers_new_and_returning_and_their_cohorts(ask: Ask, db: Books, deliver: Deliver) -> None:
    for customer, at in (
        ("ann", "2026-01-05"), ("ann", "2026-02-05"), ("ann", "2026-02-06"),
        ("bob", "2026-01-06"), ("cay", "2026-02-07"), ("dan", "2026-01-31"), ("dan", "2026-03-01"),
        (None, "2026-02-01"),
    ):  # fmt: skip
        await deliver(count_figures, confirmed(await sold(db, ("mug", 1, 1), at=f"{at}T10:00:00Z", customer=customer)))
    nobody = await sold(db, ("mug", 1, 1), at="2026-02-08T10:00:00Z", customer="eve")
    await cancelled(db, nobody, at="2026-02-09T10:00:00Z")
    await deliver(count_figures, gone(nobody))

    ever = await told(ask, get_customer_figures, "/v1/figures/customers")
    february = await told(ask, get_customer_figures, "/v1/figures/customers?from=2026-02-01&to=2026-02-28")

    assert (ever["customers"], ever["repeat_customers"], ever["orders_per_customer"]) == (4, 2, 1.75)
    assert ever["distribution"] == [
        {"orders": 1, "customers": 2}, {"orders": 2, "customers": 1}, {"orders": 3, "customers": 1},
    ]  # fmt: skip
    assert ever["guest_orders"] == 1
    assert [(one["month"], one["customers"]) for one in ever["cohorts"]] == [("2026-01-01", 3), ("2026-02-01", 1)]
    assert [(one["months_later"], one["customers"], one["orders"]) for one in ever["cohorts"][0]["months"]] == [
        (0, 3, 3), (1, 1, 2), (2, 1, 1),
    ]  # fmt: skip
    assert (february["customers"], february["new_customers"], february["returning_customers"]) == (2, 1, 1)


async def test_outcomes_and_their_reasons(ask: Ask, db: Books, deliver: Deliver) -> None:
    for _ in range(3):
        await deliver(count_figures, confirmed(await sold(db, ("mug", 1, 100))))
    taken_back = await sold(db, ("mug", 1, 100))
    await cancelled(db, taken_back, at="2026-03-01T13:00:00Z", reason="capture_failed")
    await deliver(count_figures, gone(taken_back))
    for status, reason in (("rejected", "out_of_stock"), ("rejected", "payment_declined"), ("expired", "hold_expired")):
        order = await never_sold(db, status, reason)
        await deliver(count_figures, OrderRejected(order_id=order, reason=reason))
    await deliver(count_figures, gone(await never_sold(db, "cancelled", "my name is Ann")))

    answer = await told(ask, get_order_figures, "/v1/figures/orders")

    assert answer["figures"] == [
        {
            "starts_on": "2026-03-01", "confirmed": 4, "cancelled": 1, "withdrawn": 1, "rejected": 2, "expired": 1,
            "refunds": 0, "cancel_share": 0.25, "refunds_per_order": 0.0, "loss_share": 0.5,
        }
    ]  # fmt: skip
    assert {(one["outcome"], one["reason"]) for one in answer["reasons"]} == {
        ("cancellation", "capture_failed"), ("rejected", "out_of_stock"), ("rejected", "payment_declined"),
        ("expired", "hold_expired"), ("withdrawn", "asked_for"),
    }  # fmt: skip


async def test_an_empty_shop_has_no_figures(ask: Ask) -> None:
    assert await sales(ask) == []
    assert (await told(ask, get_product_figures, "/v1/figures/products"))["products"] == []
    assert (await told(ask, get_order_figures, "/v1/figures/orders"))["figures"] == []
    customers = await told(ask, get_customer_figures, "/v1/figures/customers")
    assert (customers["customers"], customers["repeat_share"], customers["cohorts"]) == (0, None, [])


async def test_an_order_that_is_unknown_counts_nothing(db: Books, deliver: Deliver) -> None:
    assert (await deliver(count_figures, confirmed(UUID(int=5)))).status == 204
    assert await all_rows(db) == []


@pytest.mark.parametrize(
    "query",
    [
        "?by=year", "?from=2026-02-02&to=2026-02-01", "?from=yesterday", "?currency=pounds", "?category=none",
        "?split=sku", "?country=", "?category=%00", "?from=99999999999999999999",
    ],
)  # fmt: skip
async def test_what_cannot_be_asked(ask: Ask, query: str) -> None:
    answer = await ask(get_sales_figures, f"/v1/figures/sales{query}", roles=("operator",))

    assert answer.status == 422, answer.body


async def test_too_many_figures_for_one_answer(ask: Ask, db: Books) -> None:
    await db.run(
        "insert into orders.sales_days select '2000-01-01'::date + n, 'GBP', '', 'sale', '', 1, 1, 1"
        " from generate_series(0, 5000) n"
    )

    assert (await ask(get_sales_figures, "/v1/figures/sales?by=day", roles=("operator",))).status == 422
    assert len(await sales(ask, "?by=day&from=2000-01-02")) == 5000
    assert (await ask(get_order_figures, "/v1/figures/orders?by=day", roles=("operator",))).status == 422


@pytest.mark.parametrize(
    ("function", "path"),
    [
        (get_sales_figures, "/v1/figures/sales"),
        (get_product_figures, "/v1/figures/products"),
        (get_customer_figures, "/v1/figures/customers"),
        (get_order_figures, "/v1/figures/orders"),
    ],
)
async def test_customers_are_not_told(ask: Ask, function: Any, path: str) -> None:
    assert (await ask(function, path, roles=("customer",))).status == 403
    assert (await ask(function, path, roles=("admin",))).status == 200


def test_an_order_is_confirmed_where_the_figures_think_it_is() -> None:
    """The view knows a sale by this move."""
    says = {(move.when.__name__, move.at.value) for move in SAGA if move.say is OrderConfirmed}

    assert says == {("HoldCommitted", "committing")}
