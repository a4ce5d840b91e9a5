"""List the tax rates by country, region and class, in keyset pages (ORD-004)."""

from sqlalchemy import text

from shared.orders.pricing_tables import tax_rates
from shared.orders.taxes import COLUMNS, TaxRate
from shared.runtime import Page, Paged, Work, http, key_of
from shared.vocabulary import Country

PAGE = text(f"""
select {COLUMNS} from orders.tax_rates r
where (r.country, r.region, r.tax_class) > (:country, :region, :tax_class)
  and (cast(:only as text) is null or r.country = :only)
order by r.country, r.region, r.tax_class limit :count
""")  # noqa: S608 - of constants


class ListTaxRates(Paged):
    country: Country | None = None


@http("GET /v1/admin/tax-rates", role="admin", reads=[tax_rates])
async def list_tax_rates(request: ListTaxRates, work: Work) -> Page[TaxRate]:
    country, region, tax_class = key_of(request.cursor, str, str, str) or ("", "", "")
    rows = await work.db.all(
        PAGE, country=country, region=region, tax_class=tax_class, only=request.country, count=request.limit + 1
    )
    shown = [TaxRate(**row._asdict()) for row in rows[: request.limit]]
    last = shown[-1] if len(rows) > request.limit else None
    return Page(shown, None if last is None else (last.country, last.region or "", last.tax_class))
