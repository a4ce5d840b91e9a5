"""Changes of stock as rows of a file, CSV or NDJSON: a count or a difference of a SKU at a location on each."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from pydantic import model_validator

from shared.inventory.ledger import Reason
from shared.inventory.levels import Delta, LocationId, Note, Units
from shared.runtime import Request
from shared.sheets import CSV, check_rows, decoded, refused, rows_of_csv, rows_of_ndjson, validated, whole_number
from shared.vocabulary import Moment, Sku

COLUMNS = ("sku", "location", "on_hand", "delta", "reason", "note", "at")


class Movement(Request):
    """What was counted (`on_hand`), or by how much it changed (`delta`), and why.

    A count needs no reason: it is a recount. `at` is when the goods moved or were counted, if that was before.
    """

    sku: Sku
    location: LocationId
    on_hand: Units | None = None
    delta: Delta | None = None
    reason: Reason | None = None
    note: Note | None = None
    at: Moment | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.on_hand is None) == (self.delta is None):
            raise ValueError("either on_hand or delta must be given, and not both")
        if self.delta is not None and self.reason is None:
            raise ValueError("a delta needs a reason")
        return self


class Entry(NamedTuple):
    """A row, counted from 1 without the header, and what is wrong with it; `sku` and `location` are as it says."""

    row: int
    sku: str
    location: str
    movement: Movement | None
    errors: list[str]


def entries_of(media_type: str, body: bytes) -> list[Entry]:
    """Raises ValidationFailed for what is no such file at all, or has more than ROWS_AT_MOST rows."""
    said = decoded(body)
    entries = list(_from_csv(said) if media_type == CSV else _from_ndjson(said))
    check_rows(entries[-1].row if entries else 0)
    return entries


def _from_ndjson(said: str) -> Iterator[Entry]:
    for number, fields, fault in rows_of_ndjson(said):
        yield _entry(number, fields, fault)


def _from_csv(said: str) -> Iterator[Entry]:
    header, rows = rows_of_csv(said, COLUMNS.__contains__, ("sku", "location"))
    if not {"on_hand", "delta"} & {*header}:
        raise refused("Columns are missing: on_hand or delta.")
    for number, cells, fault in rows:
        counts = {name: whole_number(cells[name]) for name in ("on_hand", "delta") if name in cells}
        yield _entry(number, {**cells, **counts}, fault)


def _entry(row: int, fields: Any, fault: str | None) -> Entry:
    named = fields if isinstance(fields, dict) else {}
    sku, location = (str(named.get(name) or "")[:64] for name in ("sku", "location"))
    if fault:
        return Entry(row, sku, location, None, [fault])
    movement, errors = validated(Movement, fields)
    return Entry(row, sku, location, movement, errors)
