"""The ledger's pages, newest first, whatever they are filtered by.

Every page is read along one index, from one place to another in it, so that it costs the same wherever it is: where a
filter leaves out a head of the index, the pages of all its values are merged. Within a SKU the values are its
locations; over all SKUs they are the reasons at a location or of an actor, or the locations with a reason.

Places are rows of the index's own columns, and so is the order. Where columns are compared one by one, Postgres may
read the newest of all entries instead until it has found enough: never, of what is seldom or old.
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from sqlalchemy import TextClause, text

from shared.inventory.ledger import Cause, LedgerEntry
from shared.inventory.levels import LocationId
from shared.runtime import Page, Paged, Work, key_of
from shared.vocabulary import Moment

COLUMNS = ", ".join(f"l.{name}" for name in LedgerEntry.model_fields)

LOCATIONS_OF_SKU = "select location from inventory.stock where sku = :sku"
LOCATIONS = "select id as location from inventory.locations"


def _reasons_of(column: str) -> str:
    """SQL for the reasons that occur with the value of a column: a look-up for each, however many entries have it."""
    return f"""
with recursive occurring (reason) as (
  (select reason from inventory.ledger where {column} = :{column} order by reason limit 1)
  union all
  select (select l.reason from inventory.ledger l where l.{column} = :{column} and l.reason > o.reason
          order by l.reason limit 1)
  from occurring o where o.reason is not null
)
select reason from occurring where reason is not null
"""  # noqa: S608 - of constants


class LedgerPage(Paged):
    """Entries recorded from `from` on and before `until`, newest first."""

    location: LocationId | None = None
    reason: Cause | None = None
    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Moment | None = None


class Along(NamedTuple):
    """The columns that an index begins with, and SQL for the values of those that are not given."""

    columns: tuple[str, ...]
    merged: str = "select"


def _along(given: frozenset[str]) -> Along:
    if given & {"order_id", "transfer"}:
        return Along(())
    if "sku" in given:
        reason = ("reason",) if "reason" in given else ()
        return Along(("sku", "location", *reason), "select" if "location" in given else LOCATIONS_OF_SKU)
    if "actor" in given:
        return Along(("actor", "reason"), "select" if "reason" in given else _reasons_of("actor"))
    match "location" in given, "reason" in given:
        case True, True:
            return Along(("location", "reason"))
        case True, False:
            return Along(("location", "reason"), _reasons_of("location"))
        case False, True:
            return Along(("location", "reason"), LOCATIONS)
    return Along(())


@lru_cache(maxsize=128)
def page_of(given: frozenset[str]) -> TextClause:
    """The statement for a page by the filters that are given, from `since` on and before `until` and `id`."""
    columns, merged = _along(given)
    ledger = "inventory.ledger"
    if few := sorted(given & {"order_id", "transfer"}):  # these have an index, and are few: all are read
        ledger = f"(select * from inventory.ledger where {few[0]} = :{few[0]} offset 0)"  # noqa: S608 - of constants
    place = "".join(f"l.{name}, " for name in columns)
    values = "".join(f":{name}, " if name in given else f"part.{name}, " for name in columns)
    order = "".join(f"l.{name} desc, " for name in (*columns, "recorded_at")) + "l.id desc"
    rest = "".join(f" and l.{name} = :{name}" for name in sorted(given - {*columns}))
    return text(f"""
select l.* from ({merged}) as part
cross join lateral (
  select {COLUMNS} from {ledger} as l
  where ({place}l.recorded_at, l.id) >= ({values}coalesce(cast(:since as timestamptz), '-infinity'), 0)
    and ({place}l.recorded_at, l.id) < ({values}coalesce(cast(:until as timestamptz), 'infinity'), :id){rest}
  order by {order} limit :count
) as l
order by l.recorded_at desc, l.id desc limit :count
""")  # noqa: S608 - of constants


async def ledger_page(work: Work, page: LedgerPage, **filters: Any) -> Page[LedgerEntry]:
    """The entries of `page`, filtered also by those of `filters` that are not None."""
    asked = {"location": page.location, "reason": page.reason, **filters}
    given = {name: value for name, value in asked.items() if value is not None}
    until, id = page.until, 0
    if key := key_of(page.cursor, datetime.fromisoformat, int):
        until, id = key if until is None else min(key, (until, 0))
    statement = page_of(frozenset(given))
    rows = await work.db.all(statement, **given, since=page.since, until=until, id=id, count=page.limit + 1)
    items = [LedgerEntry.model_validate(row, from_attributes=True) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return Page(items, (items[-1].recorded_at, items[-1].id) if more else None)
