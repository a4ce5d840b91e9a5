"""Taxes, ways of shipping, weights and terms are set, listed and removed by administrators, who are named for it."""

import json
from typing import Any

from functions.orders.get_pricing_terms import get_pricing_terms
from functions.orders.list_shipping_methods import list_shipping_methods
from functions.orders.list_tax_rates import list_tax_rates
from functions.orders.list_weights import list_weights
from functions.orders.remove_shipping_method import remove_shipping_method
from functions.orders.remove_tax_rate import remove_tax_rate
from functions.orders.set_pricing_terms import set_pricing_terms
from functions.orders.set_shipping_method import set_shipping_method
from functions.orders.set_tax_rate import set_tax_rate
from functions.orders.set_weights import set_weights
from shared.runtime.answers import Answer
from tests.conftest import Ask, Books

ADMIN = ("admin",)
METHOD: dict[str, Any] = {"name": "Post", "basis": "weight", "currency": "GBP", "bands": [{"price_minor": 300}]}


def items(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200
    return list(json.loads(answer.body)["items"])


async def test_a_tax_rate_from_first_to_last(ask: Ask, db: Books) -> None:
    said = {"rate_ppm": 200_000, "name": "VAT"}
    for country, tax_class, more in (
        ("GB", "standard", {}),
        ("GB", "standard", {"rate_ppm": 210_000}),
        ("CA", "standard", {"region": "  Manitoba"}),
        ("CA", "standard", {}),
    ):
        answer = await ask(set_tax_rate, f"/v1/admin/tax-rates/{country}/{tax_class}", said | more, roles=ADMIN)
        assert answer.status == 200
    first = await ask(list_tax_rates, "/v1/admin/tax-rates?limit=1", roles=ADMIN)
    rest = await ask(list_tax_rates, first.headers["link"].split(">")[0][1:], roles=ADMIN)
    shown = items(first) + items(rest)
    assert [item["region"] for item in shown] == [None, "MANITOBA"]
    assert [
        item["rate_ppm"] for item in items(await ask(list_tax_rates, "/v1/admin/tax-rates?country=GB", roles=ADMIN))
    ] == [210_000]
    gone = await ask(remove_tax_rate, "/v1/admin/tax-rates/CA/standard?region=manitoba", roles=ADMIN)
    again = await ask(remove_tax_rate, "/v1/admin/tax-rates/CA/standard?region=manitoba", roles=ADMIN)
    assert (gone.status, again.status) == (204, 404)
    actions = [
        row.action for row in await db.all("select action from orders.audit where actor = 'customer-1' order by id")
    ]
    assert actions == ["tax_rate.set"] * 4 + ["tax_rate.removed"]


async def test_a_way_of_shipping_from_first_to_last(ask: Ask) -> None:
    for code, position in (("post", 2), ("courier", 1), ("van", 3)):
        body = METHOD | {"position": position, "countries": ["GB", "FR"]}
        assert (await ask(set_shipping_method, f"/v1/admin/shipping-methods/{code}", body, roles=ADMIN)).status == 200
    first = await ask(list_shipping_methods, "/v1/admin/shipping-methods?limit=2", roles=ADMIN)
    rest = await ask(list_shipping_methods, first.headers["link"].split(">")[0][1:], roles=ADMIN)
    assert [item["code"] for item in items(first) + items(rest)] == ["courier", "post", "van"]
    assert items(first)[0]["countries"] == ["FR", "GB"]
    statuses = [
        (await ask(remove_shipping_method, "/v1/admin/shipping-methods/van", roles=ADMIN)).status for _ in range(2)
    ]
    assert statuses == [204, 404]


async def test_what_makes_no_tariff_is_refused(ask: Ask) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"bands": []},
        {"bands": [{"up_to": 5, "price_minor": 1}, {"up_to": 5, "price_minor": 1}]},
        {"bands": [{"up_to": 9, "price_minor": 1}, {"up_to": 5, "price_minor": 1}]},
        {"bands": [{"price_minor": 1}, {"up_to": 5, "price_minor": 1}]},
        {"bands": [{"up_to": 10**30, "price_minor": 1}]},
        {"bands": [{"price_minor": -1}]},
        {"basis": "volume"},
        {"countries": []},
        {"countries": ["England"]},
        {"currency": "pounds"},
        {"position": 10**12},
        {"tax_class": "Standard Rate"},
        {"color": "red"},
    )
    for changed in wrong:
        answer = await ask(set_shipping_method, "/v1/admin/shipping-methods/post", METHOD | changed, roles=ADMIN)
        assert answer.status == 422, changed


async def test_weights_are_kept_and_forgotten_many_at_once(ask: Ask) -> None:
    said = {"items": [{"sku": f"s{n}", "weight_g": n} for n in range(5)]}
    assert (await ask(set_weights, "/v1/admin/sku-weights", said, roles=ADMIN)).status == 200
    said = {"items": [{"sku": "s0", "weight_g": None}, {"sku": "s1", "weight_g": 7}, {"sku": "s1", "weight_g": 9}]}
    answer = await ask(set_weights, "/v1/admin/sku-weights", said, roles=ADMIN)
    assert json.loads(answer.body) == {"kept": 1, "forgotten": 1}
    first = await ask(list_weights, "/v1/admin/sku-weights?limit=3", roles=ADMIN)
    rest = await ask(list_weights, first.headers["link"].split(">")[0][1:], roles=ADMIN)
    assert [tuple(item.values()) for item in items(first) + items(rest)] == [("s1", 9), ("s2", 2), ("s3", 3), ("s4", 4)]
    for wrong in (-1, 10**9, "1", 1.5, True):
        body = {"items": [{"sku": "s0", "weight_g": wrong}]}
        assert (await ask(set_weights, "/v1/admin/sku-weights", body, roles=ADMIN)).status == 422


async def test_terms_are_the_shops(ask: Ask) -> None:
    path, said = (
        "/v1/admin/pricing-terms",
        {"prices_include_tax": False, "home_country": "GB", "capture": "at_shipment"},
    )
    assert json.loads((await ask(get_pricing_terms, path, roles=ADMIN)).body) == {
        "prices_include_tax": True,
        "home_country": None,
        "capture": "now",
    }
    assert (await ask(set_pricing_terms, path, said, roles=ADMIN)).status == 200
    assert json.loads((await ask(get_pricing_terms, path, roles=ADMIN)).body) == said
    assert (await ask(set_pricing_terms, path, {"capture": "now"}, roles=ADMIN)).status == 422
    assert (await ask(set_pricing_terms, path, said, roles=("customer",))).status == 403
