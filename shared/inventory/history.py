"""The ledger's pages, newest first, whatever they are filtered by.

Every page is read along an index that ends in the order of the pages, so that it costs the same wherever it is: where
a filter leaves out the head of an index, the pages of all its values are merged. Within a SKU the values are its
locations; over all SKUs they are the reasons at a location, or the locations with a reason.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import TextClause, text

from shared.inventory.ledger import Cause, LedgerEntry
from shared.inventory.levels import LocationId
from shared.runtime import Page, Paged, Work, key_of
from shared.vocabulary import Moment

COLUMNS = ", ".join(f"l.{name}" for name in LedgerEntry.model_fields)

FILTERS = {
    "sku": "l.sku = :sku",
    "location": "l.location = :location",
    "reason": "l.reason = :reason",
    "actor": "l.actor = :actor",
    "order_id": "l.order_id = :order_id",
    "transfer": "l.transfer = :transfer",
    "since": "l.recorded_at >= :since",
    "until": "l.recorded_at < :until",
    "id": "(l.recorded_at, l.id) < (:recorded_at, :id)",
}

LOCATIONS_OF_SKU = "select location from inventory.stock where sku = :sku"
LOCATIONS = "select id as location from inventory.locations"

# One look-up for each reason that occurs, however many entries have it.
REASONS_AT = """
with recursive occurring (reason) as (
  (select reason from inventory.ledger where location = :location order by reason limit 1)
  union all
  select (select l.reason from inventory.ledger l where l.location = :location and l.reason > o.reason
          order by l.reason limit 1)
  from occurring o where o.reason is not null
)
select reason from occurring where reason is not null
"""


class LedgerPage(Paged):
    """Entries recorded from `from` on and before `until`, newest first."""

    location: LocationId | None = None
    reason: Cause | None = None
    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Moment | None = None

    @property
    def place(self) -> dict[str, Any]:
        key = key_of(self.cursor, datetime.fromisoformat, int)
        return {} if key is None else {"recorded_at": key[0], "id": key[1]}


@lru_cache(maxsize=256)
def _statement(given: frozenset[str]) -> TextClause:
    ledger, merged, joined = "inventory.ledger", "select", ""
    if "sku" in given:
        if "location" not in given:
            merged, joined = LOCATIONS_OF_SKU, " and l.location = part.location"
    elif given & {"order_id", "transfer"}:
        # These are few. What is newest is not looked for among all the others.
        key = "order_id" if "order_id" in given else "transfer"
        ledger = f"(select * from inventory.ledger where {key} = :{key} offset 0)"  # noqa: S608 - of constants
    elif "actor" not in given and "location" in given and "reason" not in given:
        merged, joined = REASONS_AT, " and l.reason = part.reason"
    elif "actor" not in given and "reason" in given and "location" not in given:
        merged, joined = LOCATIONS, " and l.location = part.location"
    wanted = " and ".join(condition for name, condition in FILTERS.items() if name in given) or "true"
    page = text(f"""
select l.* from ({merged}) as part
cross join lateral (
  select {COLUMNS} from {ledger} as l where {wanted}{joined}
  order by l.recorded_at desc, l.id desc limit :count
) as l
order by l.recorded_at desc, l.id desc limit :count
""")  # noqa: S608 - of constants
    return page.execution_options(planned="anew") if "actor" in given else page


async def ledger_page(work: Work, page: LedgerPage, **filters: Any) -> Page[LedgerEntry]:
    """The entries of `page`, filtered also by those of `filters` that are not None."""
    asked: Mapping[str, Any] = {
        "location": page.location,
        "reason": page.reason,
        "since": page.since,
        "until": page.until,
        **page.place,
        **filters,
    }
    values = {name: value for name, value in asked.items() if value is not None}
    statement = _statement(frozenset(values.keys() - {"recorded_at"}))
    rows = await work.db.all(statement, **values, count=page.limit + 1)
    items = [LedgerEntry.model_validate(row, from_attributes=True) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return Page(items, (items[-1].recorded_at, items[-1].id) if more else None)
