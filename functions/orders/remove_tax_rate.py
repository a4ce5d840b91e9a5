"""Remove a tax rate: its class is not taxed there any more, or as the country has it (ORD-004)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.pricing_tables import tax_rates
from shared.orders.problems import UnknownTaxRate
from shared.orders.tables import audit
from shared.orders.taxes import Region, TaxClass
from shared.runtime import Request, Work, http
from shared.vocabulary import Country

REMOVE = text("""
delete from orders.tax_rates where (country, region, tax_class) = (:country, coalesce(:region, ''), :tax_class)
""")


class RemoveTaxRate(Request):
    country: Country
    tax_class: TaxClass
    region: Region | None = None


@http("DELETE /v1/admin/tax-rates/{country}/{tax_class}", role="admin", status=204, writes=[tax_rates, audit])
async def remove_tax_rate(request: RemoveTaxRate, work: Work) -> None:
    """Raises UnknownTaxRate."""
    if not await work.db.run(REMOVE, **request.model_dump()):
        raise UnknownTaxRate(**request.model_dump())
    await record(work, "tax_rate.removed", **request.model_dump())
