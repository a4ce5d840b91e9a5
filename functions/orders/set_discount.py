"""Offer a discount under a code, or change it (ORD-004)."""

from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.discount_views import COLUMNS, DiscountView, SetDiscount
from shared.orders.pricing_tables import discounts
from shared.orders.problems import DiscountInUse
from shared.orders.tables import audit
from shared.runtime import Work, http

# What is used already stays used: fewer uses than that cannot be set.
KEEP = text(f"""
insert into orders.discounts as d
  (code, name, scope, percent_ppm, amount_minor, currency, skus, category_ids, minimum_minor, starts_at, ends_at,
   most_uses, most_per_customer, combines, enabled, created_at, updated_at)
values
  (:code, :name, :scope, :percent_ppm, :amount_minor, :currency, cast(:skus as text[]), cast(:category_ids as uuid[]),
   :minimum_minor, :starts_at, :ends_at, :most_uses, :most_per_customer, :combines, :enabled, :now, :now)
on conflict (code) do update set name = excluded.name, scope = excluded.scope, percent_ppm = excluded.percent_ppm,
  amount_minor = excluded.amount_minor, currency = excluded.currency, skus = excluded.skus,
  category_ids = excluded.category_ids, minimum_minor = excluded.minimum_minor, starts_at = excluded.starts_at,
  ends_at = excluded.ends_at, most_uses = excluded.most_uses, most_per_customer = excluded.most_per_customer,
  combines = excluded.combines, enabled = excluded.enabled, updated_at = excluded.updated_at
where excluded.most_uses is null or d.uses <= excluded.most_uses
returning {COLUMNS}
""")  # noqa: S608 - of constants
USES = text("select uses from orders.discounts where code = :code")


@http("PUT /v1/admin/discounts/{code}", role="admin", writes=[discounts, audit])
async def set_discount(request: SetDiscount, work: Work) -> DiscountView:
    """The whole of it, for orders from now on. Raises DiscountInUse for fewer uses than there are by now."""
    said = request.model_dump() | {"code": request.code.upper()}
    row = await work.db.one(KEEP, **said, now=work.now)
    if row is None:
        raise DiscountInUse(code=said["code"], uses=await work.db.value(USES, code=said["code"]))
    await record(work, "discount.set", **request.model_dump(mode="json"))
    return DiscountView(**row._asdict())
