"""What an order comes to: goods, discounts, shipping and tax, in a quote as in an order, or every reason why not."""

import json
from datetime import timedelta
from typing import Any

from functions.catalog.create_category import CreateCategory, create_category
from functions.orders.get_order import get_order
from functions.orders.place_order import place_order
from functions.orders.quote_order import Quote, quote_order
from functions.orders.set_weights import SetWeights, set_weights
from shared.inventory.events import HoldStock
from shared.orders.events import OrderCreated
from shared.orders.problems import OrderRefused
from shared.orders.wanting import PlaceOrder, QuoteOrder
from shared.runtime.answers import Answer
from tests.conftest import ADMIN, NOW, Ask, Books, Run
from tests.functions.orders.pricing import HOME, buying, discount, prices, sell, ship, tax, wanting


async def quoted(run: Run, quantities: dict[str, int], **more: Any) -> Quote:
    view, _ = await run(quote_order, QuoteOrder.model_validate(wanting(quantities, **more)))
    assert isinstance(view, Quote)
    return view


async def placed(run: Run, quantities: dict[str, int], **more: Any) -> tuple[Any, list[Any]]:
    return await run(place_order, PlaceOrder.model_validate(buying(quantities, **more)))


async def refused(run: Run, quantities: dict[str, int], **more: Any) -> list[tuple[str, str]]:
    """Pointer and code of each fault, of an order."""
    try:
        await placed(run, quantities, **more)
    except OrderRefused as problem:
        return [(error["pointer"], error["code"]) for error in problem.errors]
    return []


async def test_a_shop_without_terms_has_neither_tax_nor_shipping(run: Run) -> None:
    await sell(run, "mug", 1295)
    quote = await quoted(run, {"mug": 2})

    assert (quote.subtotal_minor, quote.tax_minor, quote.shipping_minor, quote.total_minor) == (2590, 0, 0, 2590)
    assert (quote.shipping_options, quote.currency, quote.prices_include_tax) == ([], "GBP", True)


async def test_the_worked_example_of_the_documentation(run: Run) -> None:
    await sell(run, "mug", 1295)
    await sell(run, "tea", 450, tax_class="reduced")
    await tax(run, "GB", 200_000)
    await tax(run, "GB", 50_000, "reduced")
    await ship(run, "post", (None, 495))
    await discount(run, "SPRING-10", percent_ppm=100_000)
    more = {"discount_codes": ["spring-10"], "shipping_method": "post"}
    quote = await quoted(run, {"mug": 2, "tea": 1}, country="GB", **more)
    order, (created, hold) = await placed(run, {"mug": 2, "tea": 1}, shipping_address=HOME, **more)

    shown = [(line.discount_minor, line.total_minor, line.tax_minor, line.tax_rate_ppm) for line in quote.lines]
    assert shown == [(259, 2331, 389, 200_000), (45, 405, 19, 50_000)]
    assert (quote.subtotal_minor, quote.discount_minor, quote.shipping_minor) == (3040, 304, 495)
    assert (quote.shipping_tax_minor, quote.tax_minor, quote.total_minor) == (83, 491, 3231)
    amounts = ("subtotal_minor", "discount_minor", "shipping_minor", "shipping_tax_minor", "tax_minor", "total_minor")
    assert [getattr(order, name) for name in amounts] == [getattr(quote, name) for name in amounts]
    assert order.lines == quote.lines
    assert isinstance(created, OrderCreated)
    assert (created.total_minor, created.country, created.discount_minor) == (3231, "GB", 304)
    assert [(line.discount_minor, line.tax_minor) for line in created.lines] == [(259, 389), (45, 19)]
    assert isinstance(hold, HoldStock)
    assert hold.ship_to == "GB"


async def test_tax_comes_on_top_where_prices_are_without(run: Run) -> None:
    await sell(run, "mug", 1000)
    await ship(run, "post", (None, 500))
    await tax(run, "US", 72_500, region="California")
    await prices(run, include_tax=False)
    quote = await quoted(run, {"mug": 1}, country="US", region="california", shipping_method="post")

    assert (quote.subtotal_minor, quote.shipping_minor, quote.shipping_tax_minor) == (1000, 536, 36)
    assert (quote.tax_minor, quote.total_minor) == (109, 1609)


async def test_the_nearest_rate_counts_and_home_while_nobody_says_where(run: Run) -> None:
    await sell(run, "mug", 1200)
    await tax(run, "GB", 200_000)
    await tax(run, "CA", 50_000)
    await tax(run, "CA", 120_000, region="Manitoba")

    async def rate(**more: Any) -> int:
        return (await quoted(run, {"mug": 1}, **more)).lines[0].tax_rate_ppm

    assert await rate() == 0
    assert await rate(country="CA") == 50_000
    assert await rate(country="CA", region="MANITOBA") == 120_000
    assert await rate(country="CA", region="Yukon") == 50_000
    assert await rate(country="FR") == 0
    await prices(run, include_tax=True, home_country="GB")
    assert await rate() == 200_000
    assert await rate(country="FR") == 0


async def test_shipping_goes_by_weight_or_by_what_is_paid_for_the_goods(run: Run) -> None:
    await sell(run, "mug", 1000)
    weights = {"items": [{"sku": "mug", "weight_g": 400}]}
    await run(set_weights, SetWeights.model_validate(weights), caller=ADMIN)
    await ship(run, "post", (1000, 300), (2000, 700), basis="weight")
    await ship(run, "courier", (3000, 900), (None, 400), free_from_minor=4500, countries=["GB", "FR"])

    async def options(count: int, **more: Any) -> dict[str, int]:
        quote = await quoted(run, {"mug": count}, **more)
        return {option.method: option.shipping_minor for option in quote.shipping_options}

    assert await options(2, country="GB") == {"post": 300, "courier": 900}
    assert await options(3, country="GB") == {"post": 700, "courier": 900}
    assert await options(4, country="GB") == {"post": 700, "courier": 400}
    assert await options(5, country="GB") == {"post": 700, "courier": 0}
    assert await options(6, country="DE") == {}
    await discount(run, "HALF", percent_ppm=500_000)
    assert await options(5, country="GB", discount_codes=["HALF"]) == {"post": 700, "courier": 900}
    weights = {"items": [{"sku": "mug", "weight_g": None}]}
    await run(set_weights, SetWeights.model_validate(weights), caller=ADMIN)
    assert await options(6) == {"post": 300}


async def test_discounts_are_for_goods_categories_units_or_shipping(run: Run) -> None:
    root, _ = await run(create_category, CreateCategory.model_validate({"name": "Kitchen"}), caller=ADMIN)
    below = CreateCategory.model_validate({"name": "Mugs", "parent": "kitchen"})
    await run(create_category, below, caller=ADMIN)
    await sell(run, "mug", 1000, category="mugs")
    await sell(run, "tea", 500)
    await ship(run, "post", (None, 400))
    await discount(run, "KITCHEN", percent_ppm=100_000, category_ids=[str(root.id)])
    await discount(run, "TEA", amount_minor=150, currency="GBP", scope="line", skus=["tea"])
    await discount(run, "TENNER", amount_minor=1000, currency="GBP")
    await discount(run, "FREIGHT", percent_ppm=1_000_000, scope="shipping")
    basket = {"mug": 2, "tea": 3}

    async def off(*codes: str) -> list[int]:
        quote = await quoted(run, basket, discount_codes=list(codes), shipping_method="post")
        return [*(line.discount_minor for line in quote.lines), quote.shipping_minor]

    assert await off("KITCHEN") == [200, 0, 400]
    assert await off("TEA") == [0, 450, 400]
    assert await off("TENNER") == [571, 429, 400]
    assert await off("FREIGHT") == [0, 0, 0]
    assert await off("KITCHEN", "TEA", "TENNER") == [200 + 632, 450 + 368, 400]


async def test_an_amount_takes_no_more_than_there_is(run: Run) -> None:
    await sell(run, "tea", 500)
    await discount(run, "TENNER", amount_minor=1000, currency="GBP")
    quote = await quoted(run, {"tea": 1}, discount_codes=["TENNER"])
    assert (quote.discount_minor, quote.total_minor) == (500, 0)


async def test_every_fault_is_named_at_once(run: Run, db: Books) -> None:
    await sell(run, "mug", 1000)
    await sell(run, "tin", 1000, "EUR")
    old = await sell(run, "old", 500)
    await sell(run, "soon", 500, status="draft")
    assert old is not None
    await db.run("update catalog.products set status = 'archived' where title = 'The old'")
    await ship(run, "post", (None, 400), countries=["FR"])
    await discount(run, "LATER", percent_ppm=1, starts_at=NOW + timedelta(seconds=1))
    await discount(run, "OVER", percent_ppm=1, ends_at=NOW)
    await discount(run, "OFF", percent_ppm=1, enabled=False)
    basket = {"mug": 1, "none": 1, "old": 1, "soon": 1, "tin": 1}
    codes = ["LATER", "OVER", "OFF", "NONE"]
    faults = await refused(run, basket, discount_codes=codes, shipping_method="post", shipping_address=HOME)

    assert faults == [
        ("/lines/1/sku", "sku_unknown"),
        ("/lines/2/sku", "sku_no_longer_on_sale"),
        ("/lines/3/sku", "sku_unknown"),
        ("/lines", "currencies_mixed"),
        ("/discount_codes/0", "discount_not_started"),
        ("/discount_codes/1", "discount_ended"),
        ("/discount_codes/2", "discount_unknown"),
        ("/discount_codes/3", "discount_unknown"),
        ("/shipping_method", "shipping_method_not_for_country"),
    ]
    assert await db.all("select 1 from orders.orders") == []


async def test_each_reason_of_shipping_has_a_code(run: Run) -> None:
    await sell(run, "mug", 1000)
    await ship(run, "letter", (1500, 100))
    await ship(run, "euro", (None, 100), currency="EUR")
    assert await refused(run, {"mug": 1}) == [
        ("/shipping_address", "address_missing"),
        ("/shipping_method", "shipping_method_missing"),
    ]
    for method, count, code in (
        ("pigeon", 1, "shipping_method_unknown"),
        ("euro", 1, "shipping_method_of_other_currency"),
        ("letter", 2, "shipping_method_not_for_so_much"),
    ):
        faults = await refused(run, {"mug": count}, shipping_method=method, shipping_address=HOME)
        assert faults == [("/shipping_method", code)]
    assert await refused(run, {"mug": 1}, shipping_method="letter", shipping_address=HOME) == []


async def test_each_reason_of_a_discount_has_a_code(run: Run) -> None:
    await sell(run, "mug", 1000)
    await discount(run, "ALONE", percent_ppm=1000, combines=False)
    await discount(run, "MANY", percent_ppm=1000, minimum_minor=1001, currency="GBP")
    await discount(run, "TEA", percent_ppm=1000, skus=["tea"])
    await discount(run, "EURO", amount_minor=1, currency="EUR")
    await discount(run, "POST", percent_ppm=1000, scope="shipping")
    for codes, code in (
        (["ALONE", "MANY"], "discount_not_combinable"),
        (["MANY"], "discount_below_minimum"),
        (["TEA"], "discount_not_for_these_goods"),
        (["EURO"], "discount_of_other_currency"),
        (["POST"], "discount_without_shipping"),
    ):
        assert (await refused(run, {"mug": 1}, discount_codes=codes))[0] == ("/discount_codes/0", code)
    assert await refused(run, {"mug": 2}, discount_codes=["MANY"]) == []
    assert await refused(run, {"mug": 1}, discount_codes=["ALONE"]) == []


async def test_no_sum_is_too_large_for_the_books(run: Run, ask: Ask) -> None:
    await sell(run, "ship", 10**13)
    assert await refused(run, {"ship": 10**6}) == [("/lines", "total_too_large")]
    assert await refused(run, {"ship": 100}) == []


async def test_what_is_shown_of_an_order_is_what_was_reckoned(run: Run, ask: Ask) -> None:
    await sell(run, "mug", 1295)
    await tax(run, "GB", 200_000)
    await prices(run, include_tax=True, capture="at_shipment")
    await discount(run, "TEN", percent_ppm=100_000)
    body = buying(
        {"mug": 2},
        email="ann@example.com",
        shipping_address=HOME,
        billing_address=HOME | {"city": "York"},
        discount_codes=["ten"],
    )
    made = await ask(place_order, "/v1/orders", body, roles=("customer",), idempotency_key="k")
    order = json.loads(made.body)
    shown = await ask(get_order, f"/v1/orders/{order['id']}", roles=("customer",))

    assert shown.body == made.body
    assert (order["email"], order["shipping_address"]["city"], order["billing_address"]["city"]) == (
        *("ann@example.com", "Leeds", "York"),
    )
    assert (order["discount_codes"], order["capture"], order["on_decline"]) == (["TEN"], "at_shipment", "wait")
    assert (order["guest"], order["country"], order["prices_include_tax"]) == (False, "GB", True)


async def test_events_say_nothing_of_the_person(ask: Ask, run: Run, db: Books) -> None:
    await sell(run, "mug", 1295)
    body = buying({"mug": 1}, email="ann@example.com", shipping_address=HOME | {"lines": ["Rose Cottage"]})
    assert (await ask(place_order, "/v1/orders", body, roles=("customer",), idempotency_key="k")).status == 201
    told = str(
        await db.all(
            "select convert_from(data, 'UTF8') as data, subject from platform.outbox where topic <> 'shop.catalog'"
        )
    )
    assert "Leeds" not in told
    assert "Rose" not in told
    assert "ann@" not in told
    assert '"country":"GB"' in told


def _answered(answer: Answer) -> tuple[int, set[str]]:
    return answer.status, {error["pointer"] for error in json.loads(answer.body).get("errors", [])}


async def test_what_is_no_request_is_told_as_such(ask: Ask) -> None:
    good = wanting({"mug": 1})
    for field, value in (
        ("discount_codes", ["A", "a"]),
        ("discount_codes", ["no spaces"]),
        ("discount_codes", "A"),
        ("country", "England"),
        ("region", ""),
        ("shipping_method", "\ud800"),
        ("shipping_address", HOME),
        ("total_minor", 1),
        ("lines", []),
        ("lines", [{"sku": "mug", "quantity": 10**30}]),
    ):
        answer = await ask(quote_order, "/v1/quotes", good | {field: value})
        assert answer.status in (400, 422), (field, value)
    assert (await ask(quote_order, "/v1/quotes", good | {"country": "G\x00"})).status == 422
    many = {"lines": [{"sku": "mug", "quantity": 1}] * 2001}
    assert _answered(await ask(quote_order, "/v1/quotes", many)) == (422, {"/lines"})


async def test_the_longest_order_is_priced_and_placed(run: Run, db: Books) -> None:
    await db.run(
        """with p as (
          insert into catalog.products (id, slug, title, description, status, version, created_at, updated_at,
            attributes, media, tax_class, published_at)
          select gen_random_uuid(), 'p-' || n, 'Thing ' || n, '', 'published', 1, now(), now(), '{}', '[]', 'standard',
            now()
          from generate_series(1, 2000) n returning id, slug)
        insert into catalog.variants (sku, product_id, position, options, price_minor, currency)
        select replace(slug, 'p-', 's-'), id, 0, '{}', 101, 'GBP' from p"""
    )
    await tax(run, "GB", 200_000)
    await discount(run, "ODD", amount_minor=777, currency="GBP")
    basket = {f"s-{n}": 1 for n in range(1, 2001)}
    order, _ = await placed(run, basket, discount_codes=["ODD"], shipping_address=HOME)

    assert (len(order.lines), order.discount_minor, order.total_minor) == (2000, 777, 2000 * 101 - 777)
    assert {line.discount_minor for line in order.lines} == {0, 1}
    assert await db.value("select sum(tax_minor) from orders.order_lines") == order.tax_minor
