"""Say by which terms the shop prices its orders (ORD-004)."""

from typing import Literal

from pydantic import StrictBool
from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.pricing_tables import pricing_terms
from shared.orders.pricing_terms import PricingTerms
from shared.orders.tables import audit
from shared.runtime import Request, Work, http
from shared.vocabulary import Country

SET = text("""
update orders.pricing_terms
set prices_include_tax = :prices_include_tax, home_country = :home_country, capture = :capture, updated_at = :now
""")


class SetPricingTerms(Request):
    """The whole of it."""

    prices_include_tax: StrictBool
    home_country: Country | None = None
    capture: Literal["now", "at_shipment"] = "now"


@http("PUT /v1/admin/pricing-terms", role="admin", writes=[pricing_terms, audit])
async def set_pricing_terms(request: SetPricingTerms, work: Work) -> PricingTerms:
    """For orders from now on: each keeps whether its prices had tax in them, and when its money is taken."""
    await work.db.send(SET, **request.model_dump(), now=work.now)
    await record(work, "pricing_terms.set", **request.model_dump())
    return PricingTerms(**request.model_dump())
