"""A shop with goods, taxes, shipping and discounts for the tests of what an order costs."""

from typing import Any

from functions.catalog.create_product import CreateProduct, create_product
from functions.orders.set_discount import set_discount
from functions.orders.set_pricing_terms import SetPricingTerms, set_pricing_terms
from functions.orders.set_shipping_method import SetShippingMethod, set_shipping_method
from functions.orders.set_tax_rate import SetTaxRate, set_tax_rate
from shared.orders.discount_views import SetDiscount
from tests.conftest import ADMIN, Run

HOME: dict[str, Any] = {"lines": ["1 High Street"], "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}


async def sell(run: Run, sku: str, price_minor: int, currency: str = "GBP", **content: Any) -> Any:
    variants = [{"sku": sku, "price_minor": price_minor, "currency": currency}]
    product = CreateProduct.model_validate({"title": f"The {sku}", "variants": variants, **content})
    return (await run(create_product, product, caller=ADMIN))[0]


async def tax(run: Run, country: str, rate_ppm: int, tax_class: str = "standard", region: str | None = None) -> None:
    said = {"country": country, "tax_class": tax_class, "rate_ppm": rate_ppm, "region": region, "name": "VAT"}
    await run(set_tax_rate, SetTaxRate.model_validate(said), caller=ADMIN)


async def prices(run: Run, *, include_tax: bool, **terms: Any) -> None:
    said = {"prices_include_tax": include_tax, **terms}
    await run(set_pricing_terms, SetPricingTerms.model_validate(said), caller=ADMIN)


async def ship(run: Run, code: str, *bands: tuple[int | None, int], basis: str = "value", **more: Any) -> None:
    priced = [{"up_to": up_to, "price_minor": price_minor} for up_to, price_minor in bands]
    said = {"code": code, "name": code.title(), "basis": basis, "currency": "GBP", "bands": priced, **more}
    await run(set_shipping_method, SetShippingMethod.model_validate(said), caller=ADMIN)


async def discount(run: Run, code: str, **terms: Any) -> Any:
    said = {"code": code, "name": code.title(), **terms}
    return (await run(set_discount, SetDiscount.model_validate(said), caller=ADMIN))[0]


def wanting(quantities: dict[str, int], **more: Any) -> dict[str, Any]:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]
    return {"lines": lines, **more}


def buying(quantities: dict[str, int], **more: Any) -> dict[str, Any]:
    return wanting(quantities, payment_token="tok_approve", **more)
