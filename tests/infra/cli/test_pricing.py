"""Taxes, shipping and discounts on the command line, over a real shop."""

import json

from functions.orders.place_order import place_order
from shared.orders.wanting import PlaceOrder
from tests.conftest import Run
from tests.functions.orders.pricing import buying, discount, sell, ship, tax
from tests.infra.cli.conftest import Commanded


async def test_what_orders_are_priced_by(run: Run, kn_shop: Commanded) -> None:
    for noun, said in (("discount", "discounts"), ("tax", "tax rates"), ("shipping", "shipping methods")):
        code, told, _ = await kn_shop(noun, "list")
        assert (code, told) == (0, f"No {said} found.\n")
    await sell(run, "mug", 1295)
    await tax(run, "GB", 200_000)
    await tax(run, "CA", 72_500, region="Manitoba")
    await discount(run, "SPRING", percent_ppm=125_000, most_uses=9)
    await discount(run, "TENNER", amount_minor=1000, currency="GBP", scope="line", skus=["mug"])
    await run(place_order, PlaceOrder.model_validate(buying({"mug": 1}, discount_codes=["SPRING"])))
    await ship(run, "post", (1000, 300), (None, 700), basis="weight", free_from_minor=5000, countries=["GB"])

    _, taxes, _ = await kn_shop("tax", "list")
    assert [line.split()[:4] for line in taxes.splitlines()[1:]] == [
        ["CA", "MANITOBA", "standard", "7.25"],
        ["GB", "standard", "20", "%"],
    ]
    _, taxes, _ = await kn_shop("tax", "list", "--country", "GB", "--no-headers")
    assert len(taxes.splitlines()) == 1
    _, methods, _ = await kn_shop("shipping", "list")
    assert "<=1000 g: 3.00 GBP; more: 7.00 GBP" in methods
    assert "50.00 GBP" in methods
    _, discounts, _ = await kn_shop("discount", "list")
    assert "12.5 %" in discounts
    assert "1 of 9" in discounts
    assert "10.00 GBP" in discounts
    _, described, _ = await kn_shop("discount", "describe", "spring")
    assert "pending" in described
    assert "1.62" in described
    _, machine, _ = await kn_shop("discount", "list", "-o", "json")
    assert [item["code"] for item in json.loads(machine)["items"]] == ["SPRING", "TENNER"]
    code, _, fault = await kn_shop("discount", "describe", "NONE")
    assert code == 1
    assert "no such discount" in fault
