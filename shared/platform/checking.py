"""How the books are checked: what a check reads, what it is held against, and the provider's own books."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from shared.inventory.alert_tables import alert_attempts, alert_deliveries, alert_targets, alerts
from shared.inventory.tables import (
    hold_lines,
    hold_parts,
    holds,
    items,
    locations,
    mendings,
    stock,
    transfer_lines,
    transfers,
)
from shared.inventory.tables import ledger as stock_ledger
from shared.orders.figures_tables import FIGURES, SOURCES
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refunds, steps
from shared.orders.pricing_tables import discount_customers, discount_uses, discounts
from shared.orders.saga import COMPLETED, FINAL, SAGA, START, STEERED, Ending, State, end, status_of
from shared.orders.tables import order_lines, orders, return_lines, saga_moves, sagas
from shared.payments.tables import attempts as payment_attempts
from shared.payments.tables import chargebacks, payments, reconciliations
from shared.payments.tables import ledger as payment_ledger
from shared.platform.tables import consumer_offsets, dead_letters, idempotency, inbox, log_heads, outbox, streams
from shared.runtime import Egress
from shared.runtime.declare import Declaration, OnEvent
from shared.runtime.pipeline import Row

READ = tuple(
    dict.fromkeys(
        [
            *(stock, stock_ledger, mendings, holds, hold_lines, hold_parts, items, locations),
            *(transfers, transfer_lines),
            *(alerts, alert_targets, alert_deliveries, alert_attempts),
            *(orders, order_lines, sagas, saga_moves, return_lines),
            *(fulfilments, fulfilment_lines, steps, refunds),
            *(discounts, discount_customers, discount_uses),
            *(payments, payment_attempts, payment_ledger, chargebacks, reconciliations),
            *(outbox, streams, log_heads, consumer_offsets, inbox, dead_letters, idempotency),
            *(*FIGURES, *SOURCES),
        ]
    )
)
"""What the checks read."""

BOOKS = text("""
select coalesce(sum(authorized_minor), 0)::bigint as authorized_minor,
  coalesce(sum(captured_minor), 0)::bigint as captured_minor,
  coalesce(sum(refunded_minor), 0)::bigint as refunded_minor,
  coalesce(sum(voided_minor), 0)::bigint as voided_minor,
  (select count(*) from payments.ledger
    where (debit_account, credit_account) = ('authorized', 'customer') and not reversal) as authorizations,
  (select count(*) from payments.attempts where state in ('sending', 'unknown', 'action')) as under_way
from payments.payments
""")

MOVES = [
    f"OrderCreated//{START}",
    *(
        f"{move.when.__name__}/{move.at}/{to}"
        for move in (*SAGA, *STEERED)
        for to in ([move.to] if move.to else [end(ending)[0] for ending in get_args(Ending)])
    ),
]
ENDINGS: tuple[Ending | None, ...] = (None, *get_args(Ending))
STATUSES = [
    f"{COMPLETED}//completed",
    *(f"{state}/{ending or ''}/{status_of(state, ending)}" for state in State for ending in ENDINGS),
]

TIMEOUT_S = 4.0

PROVIDER = "payments_equal_provider"
PROVIDER_SENTENCE = "What we booked is what the provider's own books say."
"""The one check that asks somebody else."""


class Finding(BaseModel):
    """`violations` counts them all; `examples` are the first ten. `note` says why a check could not be made."""

    model_config = ConfigDict(frozen=True)

    name: str
    sentence: str
    violations: int
    examples: list[dict[str, Any]]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found in the database, our sums of all payments, and the provider's, or why there are none."""

    findings: list[Finding]
    ours: Row
    theirs: dict[str, int] | None = None
    note: str | None = None


async def ask_provider(found: Compared, egress: Egress) -> Compared:
    """Asks for its books, unless they cannot be compared anyway."""
    from aiohttp import ClientError, ClientTimeout  # late, as egress itself: only those who call need it

    if not egress.settings.provider_url:
        return Compared(found.findings, found.ours, note="No provider is set: its books were not read.")
    if found.ours.under_way:
        return Compared(found.findings, found.ours, note=UNDER_WAY)
    url = f"{egress.settings.provider_url}/v1/books"
    try:
        async with egress.http.get(url, timeout=ClientTimeout(total=TIMEOUT_S)) as answer:
            if answer.status == 200:
                return Compared(found.findings, found.ours, theirs=orjson.loads(await answer.read()))
    except (ClientError, TimeoutError, OSError, orjson.JSONDecodeError):
        pass
    return Compared(found.findings, found.ours, note="The provider gave no answer: its books were not read.")


UNDER_WAY = "Payments are under way: the provider's books were not compared."


def against_provider(outcome: Compared, now: Row) -> Finding:
    """Books that were equal before and after, with nothing under way, were so while the provider's were read."""
    note, examples = outcome.note, []
    if outcome.theirs is not None:
        ours = {name: value for name, value in now._asdict().items() if name != "under_way"}
        if now.under_way or now != outcome.ours:
            note = UNDER_WAY
        else:
            examples = [
                {"figure": name, "ours": value, "theirs": outcome.theirs.get(name)}
                for name, value in ours.items()
                if outcome.theirs.get(name) != value
            ]
    return Finding(
        name=PROVIDER,
        sentence=PROVIDER_SENTENCE,
        violations=len(examples),
        examples=examples,
        note=note,
    )


def rules(declarations: Iterable[Declaration]) -> dict[str, list[str]]:
    """What the checks hold the books against: the saga's table, and which function takes which events."""
    taken = [
        (declaration.service, event.type)
        for declaration in declarations
        if isinstance(declaration.trigger, OnEvent) and declaration.trigger.concerns is None
        for event in declaration.trigger.events
    ]
    return {
        "final": list(FINAL),
        "moves": MOVES,
        "statuses": STATUSES,
        "consumers": [consumer for consumer, _ in taken],
        "types": [type for _, type in taken],
    }
