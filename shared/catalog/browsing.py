"""What lists and searches of products have in common: filters, sorts, and the statements made of them.

A statement is made once per combination of filters and sort, and planned anew for its values each time: how many
products a filter leaves decides whether an index is walked in order or gathered and sorted.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlalchemy import TextClause, text

from shared.catalog.content import CategoryName
from shared.catalog.listings import Availability, Fields
from shared.catalog.problems import UnknownCategory
from shared.runtime import Paged, Work, key_of
from shared.vocabulary import Currency

Price = Annotated[int, Field(ge=0, le=10**13)]


def _named(filters: tuple[str, ...]) -> tuple[str, ...]:
    if any(not name or not value for name, _, value in (filter.partition(":") for filter in filters)):
        raise ValueError("must be of the form name:value")
    return filters


AttributeFilters = Annotated[
    tuple[Annotated[str, Field(max_length=300, examples=["colour:red"])], ...],
    Field(max_length=20),
    AfterValidator(_named),
]


class Filters(Paged):
    """Which products: all filters that are given must hold.

    `category` (slug or id) takes those below it in; prices are the lowest of a product, in minor units; an `attribute`
    (name:value) may be given several times, and any of the values of one name will do, as of `availability`.
    """

    category: CategoryName | None = None
    price_min: Price | None = None
    price_max: Price | None = None
    currency: Currency | None = None
    attribute: AttributeFilters = ()
    availability: Annotated[tuple[Availability, ...], Field(max_length=4)] = ()
    fields: Fields = ()

    def attributes(self) -> dict[str, list[str]]:
        """The values wanted, by attribute."""
        wanted: dict[str, list[str]] = {}
        for filter in self.attribute:
            wanted.setdefault(filter.partition(":")[0], []).append(filter)
        return wanted


class Sort(NamedTuple):
    column: str
    sql_type: str
    kind: Callable[[Any], Any]
    descending: bool


SORTS = {
    "relevance": Sort("rank", "float8", float, descending=True),
    "newest": Sort("published_at", "timestamptz", datetime.fromisoformat, descending=True),
    "price": Sort("price_minor", "bigint", int, descending=False),
    "title": Sort("title_key", "text", str, descending=False),
    "best_selling": Sort("units_sold", "bigint", int, descending=True),
}
SORTS |= {f"-{name}": sort._replace(descending=not sort.descending) for name, sort in SORTS.items()}

SortName = Literal["newest", "-newest", "price", "-price", "title", "-title", "best_selling", "-best_selling"]
"""A minus turns the order round."""

CONDITIONS = {
    "category": "s.category_id = any(cast(:category as uuid[]))",
    "price_min": "s.price_minor >= :price_min",
    "price_max": "s.price_minor <= :price_max",
    "currency": "s.currency = :currency",
    "availability": "s.availability = any(cast(:availability as text[]))",
}


class Wanted(NamedTuple):
    """The filters of one request: their shape, for which statements are made, and their values."""

    filters: tuple[str, ...]
    attributes: int
    values: dict[str, Any]

    @classmethod
    async def by(cls, request: Filters, work: Work) -> "Wanted":
        """Raises UnknownCategory."""
        values = {name: value for name in CONDITIONS if (value := getattr(request, name)) not in (None, ())}
        filters = tuple(values)
        if request.category is not None:
            values["category"] = await _category_and_below(work, request.category)
        if request.availability:
            values["availability"] = list(request.availability)
        attributes = request.attributes()
        for number, wanted in enumerate(attributes.values()):
            values[f"attribute_{number}"] = " | ".join(map(_lexeme, wanted))
        return cls(filters, len(attributes), values)


def conditions(filters: tuple[str, ...], attributes: int) -> list[str]:
    """SQL about `catalog.search_entries s`."""
    of_attributes = (f"s.lexemes @@ cast(:attribute_{number} as tsquery)" for number in range(attributes))
    return [*(CONDITIONS[name] for name in filters), *of_attributes]


def _lexeme(attribute: str) -> str:
    """An attribute as a tsquery operand."""
    return "'=" + attribute.replace("\\", "\\\\").replace("'", "''") + "'"


def values_after(cursor: str | None, sort: Sort) -> dict[str, Any]:
    """Where the page before ended, as `beyond` takes it; nothing for the first page."""
    return dict(zip(("after_key", "after_id"), key_of(cursor, sort.kind, UUID) or (), strict=False))


def beyond(sort: Sort, column: str) -> str:
    """The condition of what comes after a cursor's key."""
    return f"({column}, product_id) {'<' if sort.descending else '>'} (cast(:after_key as {sort.sql_type}), :after_id)"


def order(sort: Sort, column: str, of: str = "") -> str:
    way = "desc" if sort.descending else "asc"
    return f"{of}{column} {way}, {of}product_id {way}"


@cache
def page_statement(sort_name: str, filters: tuple[str, ...], attributes: int, *, after: bool) -> TextClause:
    sort = SORTS[sort_name]
    found = conditions(filters, attributes)
    if after:
        found.append(beyond(sort, sort.column))
    where = f"where {' and '.join(found)}" if found else ""
    return text(f"""
select s.product_id, s.{sort.column} as key, l.document, l.stock
from (
  select product_id, {sort.column} from catalog.search_entries s {where}
  order by {order(sort, sort.column)} limit :count
) as s
join catalog.listings l on l.product_id = s.product_id
order by {order(sort, sort.column, "s.")}
""").execution_options(planned="anew")  # noqa: S608 - made of constants


# Asked for beforehand: by the categories themselves the planner can tell how many products stand in them.
CATEGORY_AND_BELOW = text("""
with named as (
  select id from catalog.categories
  where slug = :category or id = case
    when cast(:category as text) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then cast(:category as uuid) end
)
select id from named
union all
select below.id from named join catalog.categories below on below.ancestors @> array[named.id]
""")


async def _category_and_below(work: Work, category: str) -> list[UUID]:
    found = [row.id for row in await work.db.all(CATEGORY_AND_BELOW, category=category)]
    if not found:
        raise UnknownCategory(category=category)
    return found


def next_key(rows: Sequence[Any], limit: int) -> tuple[Any, ...] | None:
    """The key after which the next page begins, when there are more rows than `limit`."""
    return (rows[limit - 1].key, rows[limit - 1].product_id) if len(rows) > limit else None
