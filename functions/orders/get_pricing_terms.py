"""Show by which terms the shop prices its orders (ORD-004)."""

from sqlalchemy import text

from shared.orders.pricing_tables import pricing_terms
from shared.orders.pricing_terms import PricingTerms
from shared.runtime import Work, http

READ = text("select prices_include_tax, home_country, capture from orders.pricing_terms")


@http("GET /v1/admin/pricing-terms", role="admin", reads=[pricing_terms])
async def get_pricing_terms(work: Work) -> PricingTerms:
    row = await work.db.one(READ)
    assert row is not None, "the migration put it there"
    return PricingTerms(**row._asdict())
