"""Offer a way of shipping, at prices by weight or by value (ORD-004)."""

from typing import Annotated

import orjson
from pydantic import Field, StrictBool
from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.pricing_tables import shipping_methods
from shared.orders.shipping import Band, Tariff
from shared.orders.shipping_methods import ShippingMethod
from shared.orders.tables import audit
from shared.orders.taxes import TaxClass
from shared.orders.wanting import Code
from shared.runtime import Request, Work, http
from shared.vocabulary import Country, Currency, Line, Minor

KEEP = text("""
insert into orders.shipping_methods
  (code, name, basis, currency, bands, countries, tax_class, free_from_minor, position, enabled, updated_at)
values (:code, :name, :basis, :currency, cast(:bands as jsonb), cast(:countries as text[]), :tax_class,
  :free_from_minor, :position, :enabled, :now)
on conflict (code) do update set name = excluded.name, basis = excluded.basis, currency = excluded.currency,
  bands = excluded.bands, countries = excluded.countries, tax_class = excluded.tax_class,
  free_from_minor = excluded.free_from_minor, position = excluded.position, enabled = excluded.enabled,
  updated_at = excluded.updated_at
""")


class SetShippingMethod(Tariff, Request):
    """The first band that reaches far enough says the price.

    `basis` is the goods' weight in grams or their value after
    discounts; from a value of `free_from_minor` on nothing is charged. Without `countries` it is for all.
    """

    code: Code
    name: Line
    currency: Currency
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=100)]
    countries: Annotated[frozenset[Country], Field(min_length=1, max_length=250)] | None = None
    free_from_minor: Minor | None = None
    tax_class: TaxClass = "standard"
    position: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 100
    enabled: StrictBool = True


@http("PUT /v1/admin/shipping-methods/{code}", role="admin", writes=[shipping_methods, audit])
async def set_shipping_method(request: SetShippingMethod, work: Work) -> ShippingMethod:
    """For orders from now on; as soon as one method is enabled, every order but a recorded one must name one."""
    said = request.model_dump()
    said["countries"] = sorted(request.countries) if request.countries else None
    await work.db.send(KEEP, **{**said, "bands": orjson.dumps(said["bands"]).decode()}, now=work.now)
    await record(work, "shipping_method.set", **said)
    return ShippingMethod(**said)
