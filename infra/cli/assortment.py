"""What a shop must have before a file's invoices can be replayed: products, customers, opening stock."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.cli.plan import Plan, is_goods, is_name, is_sku
from infra.cli.retail import Line, minor

LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Product:
    sku: str
    title: str
    price_minor: int
    tracked: bool


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    country: str


@dataclass(frozen=True, slots=True)
class Assortment:
    products: Sequence[Product]
    customers: Sequence[Customer]
    opening_stock: dict[str, int]  # by SKU, of tracked goods only
    merged: dict[str, list[str]]  # SKU -> the codes that differ only by case
    opened_at: datetime | None


def assort(lines: Iterable[Line], plan: Plan) -> Assortment:
    by_sku: dict[str, list[Line]] = {}
    countries: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: (line.at, line.number)):
        if is_sku(line.sku):
            by_sku.setdefault(line.sku, []).append(line)
        if line.customer and is_name(line.customer):
            countries[line.customer] = line.country or countries.get(line.customer, "")
    codes = {sku: sorted({line.code for line in told}) for sku, told in by_sku.items()}
    return Assortment(
        products=[Product(sku, title(told), price_minor(told), is_goods(sku)) for sku, told in sorted(by_sku.items())],
        customers=[Customer(id, country) for id, country in sorted(countries.items())],
        opening_stock=dict(sorted(_needed(plan).items())),
        merged={sku: variants for sku, variants in sorted(codes.items()) if len(variants) > 1},
        opened_at=min((told[0].at for told in by_sku.values()), default=None),
    )


def title(told: Sequence[Line]) -> str:
    """The newest description that stands on a sale; notes of the warehouse ("damages", "?") stand on unpriced lines."""
    sold = [line.description for line in told if line.sells and line.description]
    priced = [line.description for line in told if line.unit_price > 0 and line.description]
    shouted = [
        line.description for line in told if line.quantity > 0 and re.fullmatch(r"[^a-z?]{4,}", line.description)
    ]
    return next((found[-1] for found in (sold, priced, shouted) if found), told[-1].sku)[:LONGEST_TITLE]


def price_minor(told: Sequence[Line]) -> int:
    """The newest price of a sale, else of a cancellation, of a penny or more; 0 where no price was ever named."""
    sold = [minor(line.unit_price) for line in told if line.sells]
    named = [minor(line.unit_price) for line in told]
    return next((found[-1] for found in ([p for p in sold if p > 0], [p for p in named if p > 0]) if found), 0)


def _needed(plan: Plan) -> Counter[str]:
    """All that goes out, whatever the order in which it does; what comes in (returns, finds) is not counted on."""
    needed: Counter[str] = Counter()
    for sale in plan.sales:
        for line in sale.lines:
            if is_goods(line.sku):
                needed[line.sku] += line.quantity
    for adjustment in plan.adjustments:
        if adjustment.delta < 0:
            needed[adjustment.line.sku] -= adjustment.delta
    return needed
