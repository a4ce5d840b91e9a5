"""Many changes of stock booked at once, each on its own merits: all statements are about all of them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from sqlalchemy import text

from shared.inventory.items import Items, lock_items, lock_locations
from shared.inventory.ledger import Change, book
from shared.inventory.sheets import Entry, Movement
from shared.runtime import Work

PLACES = text("""
select a.sku, a.location, s.sku is not null as there
from unnest(cast(:skus as text[]), cast(:locations as text[])) as a (sku, location)
join inventory.locations l on l.id = a.location and l.closed_at is null
left join inventory.stock s on s.sku = a.sku and s.location = a.location
""")

Status = Literal["changed", "unchanged", "failed"]

Key = tuple[str, str]
"""A SKU and a location."""


class Outcome(NamedTuple):
    """`on_hand` is the level that the row led to, or found."""

    entry: Entry
    status: Status
    on_hand: int | None = None
    errors: Sequence[str] = ()


async def bring(work: Work, entries: Sequence[Entry]) -> list[Outcome]:
    """Books what can be booked, row by row in their order, and says what became of each.

    Several rows may be about one level: each finds what those before it have left.
    """
    entries = [_in_time(entry, work) for entry in entries]
    movements = [entry.movement for entry in entries if entry.movement is not None]
    stocked, at_open = await _locked(work, movements)
    found: dict[Key, int] = {}
    changes: list[Change] = []
    outcomes = []
    for entry in entries:
        movement = entry.movement
        if movement is None:
            outcomes.append(Outcome(entry, "failed", errors=entry.errors))
            continue
        key = movement.sku, movement.location
        level = stocked[movement.sku].at(movement.location) if movement.sku in stocked else None
        if key not in at_open or (level is not None and not level.open):
            outcomes.append(Outcome(entry, "failed", errors=["location: there is no such open location"]))
            continue
        before = found.get(key, level.on_hand if level else 0)
        delta = movement.delta if movement.on_hand is None else movement.on_hand - before
        assert delta is not None, "either is given"
        if before + delta < 0:
            outcomes.append(Outcome(entry, "failed", errors=[f"delta: there are only {before} on hand"]))
        elif delta == 0:
            outcomes.append(Outcome(entry, "unchanged", before))
        else:
            assert level is not None, "made where anything can be booked"
            reason = movement.reason or "recount"
            changes.append(Change(level, delta, reason, note=movement.note, at=movement.at))
            found[key] = before + delta
            outcomes.append(Outcome(entry, "changed", before + delta))
    if changes:
        await book(work, stocked, changes)
    return outcomes


def _in_time(entry: Entry, work: Work) -> Entry:
    at = entry.movement and entry.movement.at
    return entry._replace(movement=None, errors=["at: this is in the future"]) if at and at > work.now else entry


async def _locked(work: Work, movements: Sequence[Movement]) -> tuple[Items, set[Key]]:
    """The SKUs locked with their stock, and which levels are at open locations.

    No item and no level is made for rows that must fail: those that take from where nothing has ever been.
    """
    keys = sorted({(movement.sku, movement.location) for movement in movements})
    if not keys:
        return {}, set()
    await lock_locations(work, {location for _, location in keys})
    places = await work.db.all(PLACES, skus=[sku for sku, _ in keys], locations=[at for _, at in keys])
    at_open = {(place.sku, place.location) for place in places}
    bring_some = {(one.sku, one.location) for one in movements if one.delta is None or one.delta > 0}
    there = {(place.sku, place.location) for place in places if place.there}
    levels = at_open & (there | bring_some)
    if not levels:
        return {}, at_open
    return await lock_items(work, {sku for sku, _ in levels}, levels), at_open
