"""Write all products to a file, as import_products reads them (PROD-001)."""

import csv
import io
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

from sqlalchemy import text

from shared.catalog.content import Status
from shared.catalog.products import product_of, products_where
from shared.catalog.sheets import csv_header, csv_rows, ndjson_of
from shared.catalog.tables import categories, products, variants
from shared.runtime import Rate, Request, Stream, Work, http

AT_ONCE = 200
"""So many products are read for one piece."""

HEADINGS = text("""
select array(select distinct jsonb_object_keys(attributes) from catalog.products order by 1) as attributes,
  array(select distinct jsonb_object_keys(options) from catalog.variants order by 1) as options
""")

PIECE = products_where("p.slug > :after and p.status = any(cast(:statuses as text[])) order by p.slug limit :count")

SLUGS = text("select id, slug from catalog.categories where id = any(cast(:ids as uuid[]))")


class ExportProducts(Request):
    """`status` may be given several times; without it, products of every status are written."""

    format: Literal["csv", "ndjson"] = "csv"
    status: tuple[Status, ...] = ("draft", "published", "archived")


@http(
    "GET /v1/admin/product-export",
    role="admin",
    rate=Rate(per_s=1, burst=10),
    reads=[products, variants, categories],
)
async def export_products(request: ExportProducts, work: Work) -> Annotated[Stream, "text/csv", "application/x-ndjson"]:
    """By slug. A product that changes meanwhile is written as it was or as it is."""
    if request.format == "ndjson":
        return Stream("application/x-ndjson", partial(_piece, request.status, None), "products.ndjson")
    headings = await work.db.one(HEADINGS)
    assert headings is not None
    header = csv_header(headings.attributes, headings.options)
    return Stream("text/csv; charset=utf-8", partial(_piece, request.status, header), "products.csv")


async def _piece(
    statuses: Sequence[str], header: Sequence[str] | None, after: str | None, work: Work
) -> tuple[bytes, str | None]:
    """The products after the slug `after`, as CSV under `header`, or as NDJSON without one."""
    rows = await work.db.all(PIECE, after=after or "", statuses=list(statuses), count=AT_ONCE)
    found = [product_of(row) for row in rows]
    ids = {product.category_id for product in found if product.category_id}
    slugs: dict[Any, str] = {row.id: row.slug for row in await work.db.all(SLUGS, ids=list(ids))} if ids else {}
    written = io.StringIO()
    if header is None:
        written.writelines(ndjson_of(product, slugs.get(product.category_id)) for product in found)
    else:
        rows_of = csv.writer(written)
        rows_of.writerows([header] if after is None else [])
        for product in found:
            rows_of.writerows(csv_rows(product, slugs.get(product.category_id), header))
    return written.getvalue().encode(), found[-1].slug if len(found) == AT_ONCE else None
