"""Set what is taxed how high where (ORD-004)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.pricing_tables import tax_rates
from shared.orders.tables import audit
from shared.orders.taxes import RatePpm, Region, TaxClass, TaxRate
from shared.runtime import Request, Work, http
from shared.vocabulary import Country, Line

KEEP = text("""
insert into orders.tax_rates as r (country, region, tax_class, rate_ppm, name, updated_at)
values (:country, coalesce(:region, ''), :tax_class, :rate_ppm, :name, :now)
on conflict (country, region, tax_class)
do update set rate_ppm = excluded.rate_ppm, name = excluded.name, updated_at = excluded.updated_at
""")


class SetTaxRate(Request):
    """A region's rate is the whole of what is taken there: it takes the place of the country's."""

    country: Country
    tax_class: TaxClass
    region: Region | None = None
    rate_ppm: RatePpm
    name: Line


@http("PUT /v1/admin/tax-rates/{country}/{tax_class}", role="admin", writes=[tax_rates, audit])
async def set_tax_rate(request: SetTaxRate, work: Work) -> TaxRate:
    """For orders from now on. Where there is no rate for a class, nothing is taxed."""
    await work.db.send(KEEP, **request.model_dump(), now=work.now)
    await record(work, "tax_rate.set", **request.model_dump())
    return TaxRate(**request.model_dump())
