"""What the provider tells by itself: each event once, before or after we know what it is about."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.payments import metrics
from shared.payments.attempts import FINISHED, attempt_of, books_of
from shared.payments.chargebacks import Dispute, take
from shared.payments.provider import Outcome, told
from shared.payments.settling import grant_late, settle
from shared.runtime import Work

SETTLED = "operation.settled"
DISPUTED = frozenset({"charge.disputed", "charge.dispute_closed"})

KEEP = text("""
insert into payments.provider_events (id, type, state, command_key, order_id, data, received_at)
values (:id, :type, 'ignored', :command_key, :order_id, cast(:data as jsonb), :now)
on conflict do nothing returning true
""")
MARK = text("update payments.provider_events set state = :state where id = :id")
# What is not sent yet is not what the provider spoke of: it waits until that has its own turn.
EARLY = text("""
select e.id, e.order_id, e.command_key, e.data
from payments.provider_events e join payments.attempts a on a.key = e.command_key
where e.state = 'early' and a.state <> 'waiting'
order by e.received_at, e.id limit 50
for update of e skip locked
""")


async def receive(id: str, type: str, said: dict[str, Any], work: Work) -> None:
    """An id that was heard before changes nothing, whatever is said under it now."""
    order_id, key = _uuid(said.get("reference")), said.get("key")
    key = key if isinstance(key, str) and len(key) <= 255 else None
    new = await work.db.value(
        KEEP, id=id, type=type, command_key=key, order_id=order_id, data=orjson.dumps(said).decode(), now=work.now
    )
    if not new:
        metrics.EVENTS.labels("repeated").inc()
        return
    state = "ignored"
    if type == SETTLED and order_id is not None and key is not None:
        state = await apply(order_id, key, said, work)
    elif type in DISPUTED and order_id is not None and (dispute := Dispute.of(order_id, said)) is not None:
        known = order_id in await books_of([order_id], work)
        state = "applied" if known else "contradicted"
        if known:
            await take(dispute, work)
    if state != "ignored":
        await work.db.send(MARK, id=id, state=state)
    metrics.EVENTS.labels(state).inc()


async def apply_early(work: Work) -> None:
    """Applies what came before its attempt was known."""
    for row in await work.db.all(EARLY):
        state = await apply(row.order_id, row.command_key, row.data, work)
        if state != "early":
            await work.db.send(MARK, id=row.id, state=state)


async def apply(order_id: UUID, key: str, said: dict[str, Any], work: Work) -> str:
    """Settles the attempt, unless it is settled; what contradicts that is left to a comparison of the books."""
    books = (await books_of([order_id], work)).get(order_id)
    row = next((row for row in books.attempts if row.key == key), None) if books else None
    if row is None or books is None or row.state == "waiting":
        return "early"
    outcome = told(attempt_of(row, books, heard_of=True), said)
    if row.state not in FINISHED:
        await settle([outcome], work)
        return "ignored" if outcome.result == "unknown" else "applied"
    if _agrees(row.state, outcome):
        return "applied"
    if row.operation == "authorize" and outcome.result == "succeeded" and outcome.provider_id is not None:
        await grant_late(outcome, work)
        return "applied"
    return "contradicted"


def _agrees(state: str, outcome: Outcome) -> bool:
    """An action that was asked for before the attempt was settled is no news either."""
    return outcome.result in (state, "action")


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
