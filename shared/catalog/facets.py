"""How many products a search would find by category, price, availability and attribute, were one more filter chosen."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text

from shared.catalog.browsing import conditions
from shared.catalog.searching import matched
from shared.runtime import View
from shared.runtime.pipeline import Row

PRICE_STEPS_MINOR = [step * 10**power for power in range(2, 8) for step in (1, 2, 5)]
"""Where price ranges begin and end, in minor units: 1, 2, 5, 10, 20, 50 ... of the currency."""

VALUES_AT_MOST = 50
"""So many values of one attribute are shown: the most frequent."""


class FacetValue(View):
    """`count` products have `value`, which is what the filter of this name takes."""

    value: str
    count: int


class CategoryCount(View):
    """`count` products stand in this category or below it."""

    slug: str
    name: str
    count: int


class PriceRange(View):
    """`count` products cost at least `from_minor` and less than `below_minor`, in minor units of `currency`."""

    currency: str
    from_minor: int
    below_minor: int | None
    count: int


class Facets(View):
    """Each facet counts what all filters but its own let through; attributes are by name."""

    category: list[CategoryCount]
    availability: list[FacetValue]
    price: list[PriceRange]
    attribute: dict[str, list[FacetValue]]


KEYS = "s.category_id, s.price_minor, s.currency, s.availability, s.attributes"
"""What is counted by."""

COUNTS = f"""
select 'category' as facet, c.slug as value, c.name as label, sum(direct.count)::bigint as count
from (
  select category_id, count(*) as count from matched where failed <@ array['category'] group by category_id
) as direct
join catalog.categories own on own.id = direct.category_id
cross join lateral unnest(own.ancestors || own.id) as every (id)
join catalog.categories c on c.id = every.id
group by c.slug, c.name
union all
select 'availability', availability, null, count(*) from matched where failed <@ array['availability'] group by 2
union all
select 'price', currency || ' ' || width_bucket(price_minor, cast(:steps as bigint[])), null, count(*)
from matched where failed <@ array['price'] group by 2
union all
select 'attribute', attribute, null, count from (
  select *, row_number() over (partition by split_part(attribute, ':', 1) order by count desc, attribute) as place
  from (
    select attribute, count(*) as count from matched, unnest(attributes) as attribute
    where failed = '{{}}' or failed <@ array['attribute:' || split_part(attribute, ':', 1)]
    group by attribute
  ) as counted
) as placed
where place <= {VALUES_AT_MOST}
order by facet, count desc, value
"""  # noqa: S608 - made of constants
"""Selects the counts from `matched`, which has KEYS and `failed`."""


@cache
def facets_statement(filters: tuple[str, ...], attributes: int, *, searched: bool) -> TextClause:
    """Counts by facet and value. What a facet counts, all filters but its own let through.

    `failed` names the facets whose filters a product fails.
    """
    facet_of = {"price_min": "'price'", "price_max": "'price'", "currency": "'price'"}
    facets = [*(facet_of.get(name, f"'{name}'") for name in filters), *(f":name_{n}" for n in range(attributes))]
    fails = ", ".join(
        f"case when ({condition}) then null else {facet} end"
        for facet, condition in zip(facets, conditions(filters, attributes), strict=True)
    )
    failed = f"array_remove(array[{fails}]::text[], null)" if fails else "array[]::text[]"
    keys = f"{KEYS}, {failed} as failed"
    found = matched(keys, [], searched=searched)
    return text(f"with matched as materialized ({found}) {COUNTS}").execution_options(planned="anew")


@dataclass(frozen=True, slots=True)
class Count:
    """One row of COUNTS."""

    facet: str
    value: str
    label: str | None
    count: int


def facets_of(rows: Iterable[Row | Count]) -> Facets:
    by_facet: dict[str, list[Row]] = {"category": [], "availability": [], "price": [], "attribute": []}
    for row in rows:
        by_facet[row.facet].append(row)
    attributes: dict[str, list[FacetValue]] = {}
    for row in by_facet["attribute"]:
        name, _, value = row.value.partition(":")
        attributes.setdefault(name, []).append(FacetValue(value=value, count=row.count))
    return Facets(
        category=[CategoryCount(slug=row.value, name=row.label, count=row.count) for row in by_facet["category"]],
        availability=[FacetValue(value=row.value, count=row.count) for row in by_facet["availability"]],
        price=sorted(map(_price_range, by_facet["price"]), key=lambda found: (found.currency, found.from_minor)),
        attribute=attributes,
    )


def _price_range(row: Row) -> PriceRange:
    currency, _, bucket = row.value.partition(" ")
    edges: list[Any] = [0, *PRICE_STEPS_MINOR, None]
    from_minor, below_minor = edges[int(bucket) : int(bucket) + 2]
    return PriceRange(currency=currency, from_minor=from_minor, below_minor=below_minor, count=row.count)
