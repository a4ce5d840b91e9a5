"""Prices what somebody wants: goods, discounts, shipping and tax, or every reason why it cannot be had."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text

from shared.orders import discounts, pricing_metrics, shipping
from shared.orders.discounts import Discount
from shared.orders.problems import Fault, OrderRefused
from shared.orders.shipping import Method
from shared.orders.totals import MOST_MINOR, tax_of
from shared.orders.views import OrderLine, ShippingOption
from shared.runtime import Work
from shared.runtime.pipeline import Row

GOODS = text("""
select v.sku, v.price_minor, v.currency, p.id as product_id, p.title, p.status, p.tax_class, p.category_id,
  c.ancestors, w.weight_g
from catalog.variants v
join catalog.products p on p.id = v.product_id and p.status in ('published', 'archived')
left join catalog.categories c on c.id = p.category_id
left join orders.sku_weights w on w.sku = v.sku
where v.sku = any(cast(:skus as text[]))
""")

# A rate of the region is nearer than its country's. All that is asked for comes as one row.
TERMS = text("""
select t.prices_include_tax, t.capture,
  (select json_object_agg(tax_class, rate_ppm) from (
    select distinct on (tax_class) tax_class, rate_ppm from orders.tax_rates r
    where r.country = coalesce(cast(:country as text), t.home_country) and r.region in ('', :region)
    order by tax_class, region desc
  ) nearest) as rates,
  (select json_agg(json_build_object('code', code, 'name', name, 'basis', basis, 'currency', currency, 'bands', bands,
      'countries', countries, 'tax_class', tax_class, 'free_from_minor', free_from_minor) order by position, code)
    from orders.shipping_methods where enabled) as methods,
  (select json_agg(json_build_object('code', d.code, 'scope', scope, 'percent_ppm', percent_ppm,
      'amount_minor', amount_minor, 'currency', currency, 'skus', skus, 'category_ids', category_ids,
      'minimum_minor', minimum_minor, 'most_uses', most_uses, 'uses', d.uses, 'most_per_customer', most_per_customer,
      'customer_uses', coalesce(c.uses, 0), 'combines', combines,
      'early', coalesce(starts_at > at.moment, false), 'late', coalesce(ends_at <= at.moment, false)))
    from orders.discounts d
    left join orders.discount_customers c on c.code = d.code and c.customer = cast(:customer as text)
    where d.code = any(cast(:codes as text[])) and enabled) as discounts
from orders.pricing_terms t, coalesce(cast(:now as timestamptz), now()) as at (moment)
""")

_methods = TypeAdapter(list[Method])
_discounts = TypeAdapter(list[Discount])

NO_SUCH_GOODS = {
    "sku_unknown": "Nothing of this SKU is on sale.",
    "sku_no_longer_on_sale": "This is not on sale any more.",
}


class Item(NamedTuple):
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """`customer` is who has used a discount how often, where that is known. `binding` for an order, not for a quote."""

    items: Sequence[Item]
    codes: Sequence[str] = ()
    method: str | None = None
    country: str | None = None
    region: str | None = None
    customer: str | None = None
    binding: bool = True


@dataclass(slots=True)
class Totals:
    """Amounts in minor units of `currency`. `discounts` says of each code how much it took off."""

    currency: str
    prices_include_tax: bool
    lines: list[OrderLine]
    shipping_minor: int = 0
    shipping_tax_minor: int = 0
    shipping_discount_minor: int = 0
    discounts: dict[str, int] = field(default_factory=dict)
    options: list[ShippingOption] = field(default_factory=list)
    capture: str = "now"

    @property
    def subtotal_minor(self) -> int:
        return sum(line.quantity * line.unit_price_minor for line in self.lines)

    @property
    def discount_minor(self) -> int:
        return sum(line.discount_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        return sum(line.tax_minor for line in self.lines) + self.shipping_tax_minor

    @property
    def total_minor(self) -> int:
        """The lines and the shipping, always."""
        return sum(line.total_minor for line in self.lines) + self.shipping_minor

    def amounts(self) -> dict[str, int]:
        return {
            "subtotal_minor": self.subtotal_minor,
            "discount_minor": self.discount_minor,
            "shipping_minor": self.shipping_minor,
            "shipping_tax_minor": self.shipping_tax_minor,
            "tax_minor": self.tax_minor,
            "total_minor": self.total_minor,
        }


async def price(work: Work, wanted: Wanted) -> Totals:
    """At today's prices and terms. Raises OrderRefused with every reason why not."""
    goods_read = work.db.enqueue(GOODS, skus=sorted({item.sku for item in wanted.items}))
    now: datetime | None = work.clock
    terms = await work.db.one(
        TERMS,
        country=wanted.country,
        region=(wanted.region or "").upper() if wanted.country else "",
        codes=list(wanted.codes),
        customer=wanted.customer,
        now=now,
    )
    assert terms is not None, "the migration put it there"
    return Pricing(wanted, {row.sku: row for row in await goods_read.all()}, terms).totals()


class Pricing:
    """One pricing, from what was read to totals; faults are gathered on the way, and raised together."""

    def __init__(self, wanted: Wanted, goods: dict[str, Row], terms: Row) -> None:
        self.wanted = wanted
        self.goods = goods
        self.faults: list[Fault] = []
        self.included: bool = terms.prices_include_tax
        self.capture: str = terms.capture
        self.rates: dict[str, int] = terms.rates or {}
        self.methods = _methods.validate_python(terms.methods or [])
        self.known = {discount.code: discount for discount in _discounts.validate_python(terms.discounts or [])}
        self.currency: str | None = None

    def totals(self) -> Totals:
        rows = self._rows()
        gross = [row.price_minor * item.quantity for item, row in rows]
        self._check_size(gross)
        chosen = self._discounts(sum(gross) if self.currency else None)
        left, taken = self._taken(chosen, rows, gross)
        goods_minor, weight_g = sum(left), sum((row.weight_g or 0) * item.quantity for item, row in rows)
        method = self._method(goods_minor, weight_g)
        if self.faults or self.currency is None:
            raise refused(self.faults)
        totals = Totals(self.currency, self.included, self._lines(rows, gross, left), capture=self.capture)
        totals.discounts = taken
        if method is None and self.wanted.binding:
            for discount in on_shipping(chosen):
                self._refuse(discount, "discount_without_shipping")
        if method is not None:
            self._ship(totals, method, method.price(goods_minor, weight_g) or 0, chosen)
        if self.faults:
            raise refused(self.faults)
        if not self.wanted.binding:
            totals.options = self._options(goods_minor, weight_g)
        return totals

    def _fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, detail))

    def _rows(self) -> list[tuple[Item, Row]]:
        rows = []
        for n, item in enumerate(self.wanted.items):
            row = self.goods.get(item.sku)
            if row is None or row.status != "published":
                code = "sku_unknown" if row is None else "sku_no_longer_on_sale"
                self._fault(f"/lines/{n}/sku", code, NO_SUCH_GOODS[code])
            else:
                rows.append((item, row))
        currencies = sorted({row.currency for _, row in rows})
        if len(currencies) == 1:
            self.currency = currencies[0]
        elif currencies:
            detail = f"The goods are priced in {', '.join(currencies)}; an order is in one currency."
            self._fault("/lines", "currencies_mixed", detail)
        return rows

    def _check_size(self, gross: Iterable[int]) -> None:
        if sum(gross) > MOST_MINOR:
            self._fault("/lines", "total_too_large", f"An order comes to {MOST_MINOR} minor units at the most.")

    def _discounts(self, gross_minor: int | None) -> list[Discount]:
        """Those that can be had, in the order in which they were named."""
        chosen = []
        for n, code in enumerate(self.wanted.codes):
            discount = self.known.get(code)
            refusal = (
                "discount_unknown"
                if discount is None
                else discount.refusal(self.currency, gross_minor, len(self.wanted.codes) - 1)
            )
            if refusal:
                self._fault(f"/discount_codes/{n}", refusal, discounts.REFUSALS[refusal])
            elif discount is not None:
                chosen.append(discount)
        return chosen

    def _taken(
        self, chosen: Sequence[Discount], rows: Sequence[tuple[Item, Row]], gross: Sequence[int]
    ) -> tuple[list[int], dict[str, int]]:
        """What is left to pay of each line after the discounts, each of what the one before has left."""
        left, taken = list(gross), {}
        for discount in chosen:
            if discount.scope == "shipping":
                continue
            of = [n for n, (item, row) in enumerate(rows) if discount.covers(item.sku, _categories(row))]
            if not of and self.currency:
                self._refuse(discount, "discount_not_for_these_goods")
            off = discount.off([left[n] for n in of], [rows[n][0].quantity for n in of])
            for n, amount in zip(of, off, strict=True):
                left[n] -= amount
            taken[discount.code] = sum(off)
        return left, taken

    def _refuse(self, discount: Discount, code: str) -> None:
        place = self.wanted.codes.index(discount.code)
        self._fault(f"/discount_codes/{place}", code, discounts.REFUSALS[code])

    def _method(self, goods_minor: int, weight_g: int) -> Method | None:
        wanted = self.wanted
        if wanted.binding and self.methods and wanted.country is None:
            self._fault("/shipping_address", "address_missing", "Say where it is to be shipped.")
        if wanted.method is None:
            if wanted.binding and self.methods:
                self._fault("/shipping_method", "shipping_method_missing", shipping.REFUSALS["shipping_method_missing"])
            return None
        method = next((method for method in self.methods if method.code == wanted.method), None)
        refusal = (
            "shipping_method_unknown"
            if method is None
            else method.refusal(wanted.country, self.currency, goods_minor, weight_g)
        )
        if refusal:
            self._fault("/shipping_method", refusal, shipping.REFUSALS[refusal])
        return method

    def _lines(self, rows: Sequence[tuple[Item, Row]], gross: Sequence[int], left: Sequence[int]) -> list[OrderLine]:
        lines = []
        for n, ((item, row), full, amount) in enumerate(zip(rows, gross, left, strict=True), 1):
            rate = self.rates.get(row.tax_class, 0)
            tax = tax_of(amount, rate, included=self.included)
            lines.append(
                OrderLine.model_construct(
                    line_no=n,
                    sku=item.sku,
                    title=row.title,
                    quantity=item.quantity,
                    unit_price_minor=row.price_minor,
                    discount_minor=full - amount,
                    tax_minor=tax,
                    total_minor=amount if self.included else amount + tax,
                    product_id=row.product_id,
                    category_id=row.category_id,
                    tax_class=row.tax_class,
                    tax_rate_ppm=rate,
                )
            )
        return lines

    def _ship(self, totals: Totals, method: Method, price_minor: int, chosen: Sequence[Discount]) -> None:
        left = price_minor
        for discount in on_shipping(chosen):
            totals.discounts[discount.code] = off = discount.off_shipping(left)
            left -= off
        totals.shipping_discount_minor = price_minor - left
        totals.shipping_minor, totals.shipping_tax_minor = self._with_tax(left, method)

    def _with_tax(self, price_minor: int, method: Method) -> tuple[int, int]:
        tax = tax_of(price_minor, self.rates.get(method.tax_class, 0), included=self.included)
        return (price_minor if self.included else price_minor + tax), tax

    def _options(self, goods_minor: int, weight_g: int) -> list[ShippingOption]:
        """What can be had for these goods and this destination, before discounts on shipping."""
        return [
            ShippingOption(
                method=method.code,
                name=method.name,
                shipping_minor=self._with_tax(method.price(goods_minor, weight_g) or 0, method)[0],
            )
            for method in self.methods
            if method.refusal(self.wanted.country, self.currency, goods_minor, weight_g) is None
        ]


def refused(faults: Sequence[Fault]) -> OrderRefused:
    pricing_metrics.count_refused({fault.code for fault in faults})
    return OrderRefused(errors=[fault._asdict() for fault in faults])


def on_shipping(chosen: Sequence[Discount]) -> list[Discount]:
    return [discount for discount in chosen if discount.scope == "shipping"]


def _categories(row: Row) -> list[UUID]:
    return [] if row.category_id is None else [row.category_id, *(row.ancestors or [])]
