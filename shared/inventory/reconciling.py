"""Putting right what differs between the counters of stock, the ledger, the holds and what was told.

All that is mended is locked first, and looked at again: what differed without a lock may be right by now. Who changes
stock, or what is open of a hold, holds the locks on the SKU's stock; a reconciliation that holds them is alone.
"""

from collections.abc import Sequence
from typing import Literal

import orjson
from sqlalchemy import text

from shared.inventory.differences import Difference, Look, look
from shared.inventory.events import StockAdjusted
from shared.inventory.facts import Facts
from shared.inventory.items import (
    ENSURE_ITEMS,
    ENSURE_LEVELS,
    LOCK_ROWS,
    LOCK_SKUS,
    Items,
    items_of,
    lock_locations,
    read_items,
)
from shared.inventory.status import status_now, tell
from shared.runtime import Work

Mend = Literal["none", "counters", "ledger"]

TAKE_TIME = text("select set_config('statement_timeout', '15s', true)")

CLOSE_LINES = text("""
update inventory.hold_lines l set released = l.quantity - l.shipped
where l.sku = any(cast(:skus as text[])) and l.released + l.shipped < l.quantity and not exists (
  select from inventory.holds h where h.order_id = l.order_id and h.status in ('HELD', 'COMMITTED'))
""")

# Whoever has locked a hold may have read its lines, and waits for the stock: what is theirs is left for the next time.
LOCK_FREE_HOLDS = text("""
select order_id from inventory.holds where order_id = any(cast(:orders as uuid[])) order by order_id
for update skip locked
""")

REOPEN_LINES = text("""
update inventory.hold_lines l set released = l.released - g.released, shipped = l.shipped - g.shipped
from unnest(cast(:orders as uuid[]), cast(:skus as text[]), cast(:locations as text[]), cast(:released as bigint[]),
  cast(:shipped as bigint[])) as g (order_id, sku, location, released, shipped)
where l.order_id = g.order_id and l.sku = g.sku and l.location = g.location
""")

KEEP_PARTS = text("""
insert into inventory.hold_parts (id, order_id, kind, lines, at)
select id, order_id, 'released',
  jsonb_build_array(jsonb_build_object('sku', sku, 'location', location, 'quantity', quantity, 'backordered', 0)), :now
from unnest(cast(:ids as uuid[]), cast(:orders as uuid[]), cast(:skus as text[]), cast(:locations as text[]),
  cast(:quantities as bigint[])) as p (id, order_id, sku, location, quantity)
where quantity > 0
""")

SET_COUNTERS = text("""
update inventory.stock s
set on_hand = n.on_hand, held = n.held, committed = n.committed,
  shortfall = greatest(0, n.held + n.committed - n.on_hand - s.backorder_limit), version = s.version + 1
from unnest(cast(:skus as text[]), cast(:locations as text[]), cast(:on_hand as bigint[]), cast(:held as bigint[]),
  cast(:committed as bigint[])) as n (sku, location, on_hand, held, committed)
where s.sku = n.sku and s.location = n.location
""")

ENTER = text("""
with given as (
  select * from unnest(cast(:skus as text[]), cast(:locations as text[]), cast(:deltas as bigint[]),
    cast(:notes as text[])) as g (sku, location, delta, note)
), kept as (
  update inventory.stock s set changed_at = greatest(s.changed_at, :now)
  from given g where s.sku = g.sku and s.location = g.location
  returning s.sku, s.location, s.on_hand, s.changed_at, g.delta, g.note
)
insert into inventory.ledger (sku, location, delta, on_hand, reason, actor, note, cause, at, recorded_at)
select sku, location, delta, on_hand, 'reconciliation', :actor, note, :cause, changed_at, changed_at
from kept order by sku, location
returning sku, location, id
""")

REMEMBER = text("""
insert into inventory.mendings (sku, location, what, cause, found, expected, mend, actor, entry, on_hand, at)
select sku, location, what, cause, found, expected, :mend, :actor, entry, on_hand, :now
from jsonb_to_recordset(cast(:mended as jsonb)) as m (sku text, location text, what text, cause text, found jsonb,
  expected jsonb, entry bigint, on_hand bigint)
""")

REMEMBERED = {"sku", "location", "what", "cause", "found", "expected"}

COUNTERS = ("level", "on_hand", "held", "committed", "shortfall")

Entries = dict[tuple[str, str], int]
"""The newest entry of the ledger, by SKU and location."""


async def mend(work: Work, seen: Sequence[Difference], how: Literal["counters", "ledger"]) -> list[Difference]:
    """What differs, once the SKUs that were `seen` to differ are locked; what could be is put right.

    With `counters` what is on hand becomes the sum of the ledger, unless that is below zero. With `ledger` it stays,
    and the rest is entered. What is held and committed becomes what live holds say, in any case.
    """
    suspects = sorted({one.sku for one in seen})
    await lock_locations(work, {one.location for one in seen if one.what == "level" and one.location})
    await work.db.send(LOCK_SKUS, skus=suspects)
    await work.db.send(LOCK_ROWS, skus=suspects)
    before = await look(work, suspects)
    skus = sorted({one.sku for one in before.differences})
    if not skus:
        return []
    items = await _complete(work, before, skus)
    wrong = {one.key[:2] for one in before.differences if one.what in COUNTERS}
    miscounted = [facts for facts in before.levels if facts.key in wrong]
    newest: Entries = {facts.key: facts.newest for facts in before.levels}
    await _count(work, miscounted, items, how)
    if how == "ledger":
        newest |= await _enter(work, miscounted, before.differences)
    _say(work, miscounted, items, newest, how)
    await tell(work, items.values())
    mended, left = _compared(before.differences, (await look(work, skus)).differences)
    rows = []
    for one in mended:
        level = items[one.sku].at(one.location) if one.location else None
        at = {"entry": newest.get((one.sku, level.location), 0), "on_hand": level.on_hand} if level else {}
        rows.append({**one.model_dump(include=REMEMBERED), "entry": 0, "on_hand": 0, **at})
    said = {"mended": orjson.dumps(rows).decode(), "mend": how}
    await work.db.send(REMEMBER, **said, actor=work.caller.subject, now=work.now)
    return [*mended, *left]


def _compared(before: Sequence[Difference], after: Sequence[Difference]) -> tuple[list[Difference], list[Difference]]:
    """What is mended, and what is left. Entries that are broken stay so, and are accepted where their sum is right."""
    left = {one.key for one in after}
    left -= {one.key for one in before if one.what == "entries" and (one.sku, one.location, "on_hand") not in left}
    mended = [one.model_copy(update={"mended": True}) for one in before if one.key not in left]
    return mended, [one for one in before if one.key in left]


async def _complete(work: Work, found: Look, skus: list[str]) -> Items:
    """Makes rows that are missing, and lines and parts what they must be; gives the SKUs as they are counted."""
    missing = [(one.sku, str(one.location)) for one in found.differences if one.what == "level"]
    await work.db.send(ENSURE_ITEMS, skus=skus, now=work.now)
    await work.db.send(ENSURE_LEVELS, skus=[sku for sku, _ in missing], locations=[at for _, at in missing])
    await work.db.send(CLOSE_LINES, skus=skus)
    beyond = [(level, line) for level in found.levels for line in level.beyond]
    orders = {line.order_id for _, line in beyond}
    free = {row.order_id for row in await work.db.all(LOCK_FREE_HOLDS, orders=list(orders))}
    beyond = [(level, line) for level, line in beyond if line.order_id in free]
    early = [(level, line) for level, line in beyond if level.closed_too_early]
    await work.db.send(
        REOPEN_LINES,
        orders=[line.order_id for _, line in early],
        skus=[level.sku for level, _ in early],
        locations=[level.location for level, _ in early],
        released=[line.released for _, line in early],
        shipped=[line.shipped for _, line in early],
    )
    # What goods are said to have left without an entry in the ledger is for people to find out.
    gone = [(level, line) for level, line in beyond if not level.closed_too_early]
    await work.db.send(
        KEEP_PARTS,
        ids=[work.new_id() for _ in gone],
        orders=[line.order_id for _, line in gone],
        skus=[level.sku for level, _ in gone],
        locations=[level.location for level, _ in gone],
        quantities=[line.released for _, line in gone],
        now=work.now,
    )
    return items_of(await read_items(work, skus).all())


async def _count(work: Work, miscounted: Sequence[Facts], items: Items, how: str) -> None:
    on_hand = [facts.entered if how == "counters" and facts.entered >= 0 else facts.on_hand for facts in miscounted]
    await work.db.send(
        SET_COUNTERS,
        skus=[facts.sku for facts in miscounted],
        locations=[facts.location for facts in miscounted],
        on_hand=on_hand,
        held=[facts.held_by_holds for facts in miscounted],
        committed=[facts.committed_by_holds for facts in miscounted],
    )
    for facts, units in zip(miscounted, on_hand, strict=True):
        if level := items[facts.sku].at(facts.location):
            level.on_hand, level.held, level.committed = units, facts.held_by_holds, facts.committed_by_holds
            level.version += 1


async def _enter(work: Work, miscounted: Sequence[Facts], differences: Sequence[Difference]) -> Entries:
    """What is on hand and in no entry, or the other way round."""
    means = {one.key: one.means for one in differences}
    missing = [facts for facts in miscounted if facts.on_hand != facts.entered]
    entries = await work.db.all(
        ENTER,
        skus=[facts.sku for facts in missing],
        locations=[facts.location for facts in missing],
        deltas=[facts.on_hand - facts.entered for facts in missing],
        notes=[means[facts.sku, facts.location, "on_hand"] for facts in missing],
        actor=work.caller.subject,
        cause=work.cause.correlation,
        now=work.now,
    )
    return {(row.sku, row.location): row.id for row in entries}


def _say(work: Work, miscounted: Sequence[Facts], items: Items, newest: Entries, how: str) -> None:
    """That levels are other than was said: whoever keeps them elsewhere follows."""
    for facts in miscounted:
        item = items[facts.sku]
        level = item.at(facts.location)
        if level is None:
            continue
        work.emit(
            StockAdjusted(
                sku=level.sku,
                location=level.location,
                delta=level.on_hand - (facts.entered if how == "ledger" else facts.on_hand),
                on_hand=level.on_hand,
                held=level.held,
                committed=level.committed,
                available=level.available,
                shortfall=level.shortfall,
                version=level.version,
                ledger_id=newest[facts.key],
                reason="reconciliation",
                actor=work.caller.subject,
                at=work.now,
                sku_available=item.available,
                status=status_now(item),
            )
        )
