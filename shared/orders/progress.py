"""Moves sagas: each move with its record, the command that it asks for and what is said of it, many at a time."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.inventory.events import CommitHold, ExtendHold, HoldLine, HoldStock, ReleaseHold
from shared.orders import saga
from shared.orders.events import (
    OrderAwaitingCustomer,
    OrderCancelled,
    OrderCancelling,
    OrderCardChanged,
    OrderConfirmed,
    OrderExpired,
    OrderRejected,
    SagaRetried,
    SagaSkipped,
    SagaStuck,
)
from shared.orders.placing import HOLD_S, STEP_DEADLINE
from shared.orders.saga import Answered, Ending, Move, State, Trait
from shared.payments.events import (
    AuthorizePayment,
    CapturePayment,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentDeclined,
    RefundPayment,
    VoidPayment,
)
from shared.runtime import Event, Work
from shared.runtime.events import EVENTS

_STANDINGS = """
select s.order_id, s.state, s.ending, s.reason, s.payment, s.early, s.moves, s.asked, s.deadline, s.tries, s.stuck,
  s.action_url, o.status, o.customer_id, o.currency, o.total_minor, o.refunded_minor, o.payment_token, o.country,
  o.capture, o.on_decline, o.fulfilment
from orders.sagas s join orders.orders o on o.id = s.order_id
where s.order_id = any(cast(:orders as uuid[]))
order by s.order_id
"""

LOCK = text(f"{_STANDINGS} for update of s")

LOCK_WITH_ORDER = text(f"{_STANDINGS} for update of s, o")

# What a saga is told is applied to what was locked: a row that another has moved meanwhile would be left out, and seen.
SAVE = text("""
with stands as (
  select * from json_to_recordset(cast(:standings as json)) as n (
    order_id uuid, was int, state text, ending text, reason text, payment text, early jsonb, moves int, tries jsonb,
    stuck text, action_url text, deadline timestamptz, status text, status_was text)
), moved as (
  update orders.sagas s
  set state = n.state, ending = n.ending, reason = n.reason, payment = n.payment, early = n.early, moves = n.moves,
    tries = n.tries, stuck = n.stuck, action_url = n.action_url,
    asked = case when n.moves = n.was then s.asked else 1 end,
    deadline = n.deadline, updated_at = :now
  from stands n
  where s.order_id = n.order_id and s.moves = n.was
  returning s.order_id
), told as (
  update orders.orders o set status = n.status, version = o.version + 1
  from stands n
  where o.id = n.order_id and n.status <> n.status_was
), recorded as (
  insert into orders.saga_moves (order_id, position, from_state, to_state, cause, event_id, asked, at)
  select order_id, position, from_state, to_state, cause, event_id, asked, :now
  from json_to_recordset(cast(:moves as json)) as m (
    order_id uuid, position int, from_state text, to_state text, cause text, event_id text, asked text)
)
select count(*) from moved
""")

DEMAND = text("""
select order_id, sku, sum(quantity)::int as quantity from orders.order_lines
where order_id = any(cast(:orders as uuid[])) group by order_id, sku order by order_id, sku
""")

CUSTOMER_DEADLINE = timedelta(seconds=HOLD_S + 30)
"""When the hold of an order that waits for its customer must have ended, unless it was extended."""

ANOTHER_CARD_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """A saga's row, locked, with what its commands need of the order."""

    order_id: UUID
    state: State
    ending: Ending | None
    reason: str | None
    payment: str
    early: list[dict[str, str]]
    moves: int
    asked: int
    deadline: datetime | None
    tries: dict[str, int]
    stuck: str | None
    action_url: str | None
    status: str
    customer_id: str | None
    currency: str
    total_minor: int
    refunded_minor: int
    payment_token: str
    country: str | None
    capture: str
    on_decline: str
    fulfilment: str

    @property
    def due_minor(self) -> int:
        """What a cancellation pays back."""
        return self.total_minor - self.refunded_minor

    @property
    def traits(self) -> Collection[Trait]:
        return {trait for trait, has in _TRAITS.items() if has(self)}


_TRAITS: dict[Trait, Callable[[Standing], bool]] = {
    "waits": lambda at: at.on_decline == "wait",
    "at_shipment": lambda at: at.capture == "at_shipment",
    "costs_nothing": lambda at: at.due_minor == 0,
    "void_failed": lambda at: at.stuck == "void_failed",
    "refund_failed": lambda at: at.stuck == "refund_failed",
}


@dataclass(slots=True)
class Sagas:
    """Sagas that this transaction has locked, as they stand after the moves that it has made and not yet saved."""

    work: Work
    standings: dict[UUID, Standing]
    was: dict[UUID, Standing] = field(default_factory=dict)
    moves: list[dict[str, Any]] = field(default_factory=list)

    def advance(self, event: Answered) -> None:
        """Makes the move that `event` asks for, then those of answers that were kept until now."""
        at = self.standings.get(event.order_id)
        if at is None or not is_awaited(at, event):
            return
        cause = self.work.cause_of(event).causation or ""
        match saga.reaction(at.state, type(event), at.traits):
            case saga.STALE:
                self._give_back_late(at, event)
            case saga.EARLY:
                kept = {"type": event.type, "id": cause, "data": event.model_dump_json()}
                self._stands(replace(at, early=[*at.early, kept]))
            case Move() as move:
                self._told(move, event, cause, because=event)
                self._advance_early(event.order_id, because=event)

    def _give_back_late(self, at: Standing, event: Answered) -> None:
        """Of several cards one may be charged after the order was given up, and what it was charged by then voided.

        The order goes no other way for it: nobody waits for the answer, but where a void is waited for anyway.
        """
        several = at.tries.get(_NAMES[AuthorizePayment], 1) > 1
        if isinstance(event, PaymentAuthorized) and several and at.state in saga.GIVEN_UP:
            self.try_anew(at.order_id, VoidPayment)
            self.work.emit(command(self.standings[at.order_id], VoidPayment), because=event)

    def _advance_early(self, order_id: UUID, because: Event) -> None:
        at = self.standings[order_id]
        for kept in at.early:
            kind = EVENTS[kept["type"]]
            event = cast(Answered, kind.model_validate_json(kept["data"]))
            move = saga.reaction(at.state, kind, at.traits)
            if isinstance(move, Move) and is_awaited(at, event):
                self._stands(replace(at, early=[other for other in at.early if other is not kept]))
                self._told(move, event, kept["id"], because=because)
                self._advance_early(order_id, because)
                return

    def _told(self, move: Move, event: Answered, cause: str, because: Event) -> None:
        action_url = event.action_url if isinstance(event, PaymentActionRequired) else None
        self.make(event.order_id, move, cause=cause, because=because, action_url=action_url)

    def make(
        self,
        order_id: UUID,
        move: Move,
        *,
        cause: str = "",
        because: Event | None = None,
        reason: str | None = None,
        action_url: str | None = None,
    ) -> None:
        """Makes `move` from where the saga stands. `cause` is the id of the CloudEvent that led to it."""
        at = self.standings[order_id]
        ending = move.ending or at.ending
        to, say = (move.to, move.say) if move.to is not saga.ENDING else saga.end(ending or "cancelled")
        stuck = move.reason if to is saga.NEEDS_ATTENTION else None
        moved = replace(
            at,
            state=to,
            ending=ending,
            reason=(reason or move.reason) if move.ending else at.reason,
            payment=move.payment or at.payment,
            moves=at.moves + 1,
            stuck=stuck,
            action_url=action_url,
            status=saga.status_of(to, ending),
            deadline=_deadline(to, self.work.now),
        )
        self._stands(moved)
        self.moves.append(
            {
                "order_id": order_id,
                "position": moved.moves,
                "from_state": at.state,
                "to_state": to,
                "cause": move.when.__name__,
                "event_id": cause,
                "asked": move.ask and move.ask.__name__,
            }
        )
        if move.ask is not None:
            self.work.emit(command(moved, move.ask), because=because)
        if say is not None:
            self.work.emit(_STATEMENTS[say](moved, reason or moved.reason or ""), because=because)

    def steer(self, order_id: UUID, what: type[Event], reason: str) -> bool:
        """Makes the move that a person asks for; False where there is none from here."""
        at = self.standings[order_id]
        move = saga.reaction(at.state, what, at.traits)
        if not isinstance(move, Move):
            return False
        if what is SagaRetried and move.ask is not None:
            self.try_anew(order_id, move.ask)
        self.make(order_id, move, reason=reason)
        return True

    def try_anew(self, order_id: UUID, kind: type[Event]) -> None:
        """The next command of this kind has a key of its own: the one before was answered for good."""
        at = self.standings[order_id]
        name = _NAMES[kind]
        self._stands(replace(at, tries={**at.tries, name: at.tries.get(name, 1) + 1}))

    def change_card(self, order_id: UUID, payment_token: str) -> None:
        self._stands(replace(self.standings[order_id], payment_token=payment_token))
        self.try_anew(order_id, AuthorizePayment)

    async def save(self) -> None:
        """Writes what has changed, in one statement. Raises SagaMoved if a saga was not locked after all."""
        if not self.was:
            return
        standings = [
            {
                "order_id": order_id,
                "was": was.moves,
                "status_was": was.status,
                **{name: getattr(self.standings[order_id], name) for name in _SAVED},
            }
            for order_id, was in sorted(self.was.items())
        ]
        saved = await self.work.db.value(
            SAVE, standings=orjson.dumps(standings).decode(), moves=orjson.dumps(self.moves).decode(), now=self.work.now
        )
        if saved != len(standings):
            raise SagaMoved(f"{len(standings) - saved} sagas were moved by somebody else")
        self.was.clear()
        self.moves.clear()

    def _stands(self, now: Standing) -> None:
        self.was.setdefault(now.order_id, self.standings[now.order_id])
        self.standings[now.order_id] = now


_SAVED = (
    "state", "ending", "reason", "payment", "early", "moves", "tries", "stuck", "action_url", "deadline", "status"
)  # fmt: skip


class SagaMoved(Exception):
    """A defect: whoever moves a saga has locked it."""


async def lock_all(work: Work, orders: Collection[UUID], *, with_order: bool = False) -> Sagas:
    """Nobody else moves the sagas until the transaction ends; `with_order`, nobody ships or refunds either."""
    rows = await work.db.all(LOCK_WITH_ORDER if with_order else LOCK, orders=sorted(set(orders)))
    return Sagas(work, {row.order_id: Standing(**{**row._asdict(), "state": State(row.state)}) for row in rows})


async def lock(work: Work, order_id: UUID, *, with_order: bool = False) -> Standing | None:
    """For who wants to know where one saga stands, and that it stays there until the transaction ends."""
    return (await lock_all(work, [order_id], with_order=with_order)).standings.get(order_id)


def key_of(at: Standing, kind: type[Event]) -> str:
    """The key of a saga's payment command: the same whenever it is sent again, another when it is begun anew."""
    name = _NAMES[kind]
    number = at.tries.get(name, 1)
    return f"{at.order_id}/{name}" if number == 1 else f"{at.order_id}/{name}/{number}"


_NAMES: dict[type[Event], str] = {
    AuthorizePayment: "authorize",
    CapturePayment: "capture",
    VoidPayment: "void",
    RefundPayment: "refund",
}


def is_awaited(at: Standing, event: Answered) -> bool:
    """Whether it answers a command of the saga, and the last of its kind: shipments and returns have some, too.

    An authorisation is taken whichever card it is of: the money is there. So a card that was refused because another
    one had paid already answers nothing: what says of that one's money is still on its way.
    """
    if isinstance(event, PaymentDeclined) and event.code == "already_authorized":
        return False
    if (asked := saga.ANSWERS.get(type(event))) is None:
        return True
    key = event.command_key  # type: ignore[union-attr] # all that ANSWERS names have one
    if isinstance(event, PaymentAuthorized):
        return key.startswith(f"{at.order_id}/{_NAMES[asked]}")
    return key == key_of(at, asked)


def command(at: Standing, kind: type[Event]) -> Event:
    """The command of that kind for this order; sent again it is the same."""
    return _COMMANDS[kind](at)


async def hold_commands(work: Work, standings: Mapping[UUID, Standing]) -> dict[UUID, HoldStock]:
    """HoldStock of each of these orders, out of their lines."""
    lines: dict[UUID, list[HoldLine]] = {}
    for row in await work.db.all(DEMAND, orders=list(standings)):
        lines.setdefault(row.order_id, []).append(HoldLine(sku=row.sku, quantity=row.quantity))
    return {
        order_id: HoldStock(order_id=order_id, lines=asked, expires_in_s=HOLD_S, ship_to=standings[order_id].country)
        for order_id, asked in lines.items()
    }


_COMMANDS: dict[type[Event], Callable[[Standing], Event]] = {
    AuthorizePayment: lambda at: AuthorizePayment(
        order_id=at.order_id,
        amount_minor=at.total_minor,
        currency=at.currency,
        payment_token=at.payment_token,
        command_key=key_of(at, AuthorizePayment),
    ),
    CommitHold: lambda at: CommitHold(order_id=at.order_id),
    CapturePayment: lambda at: CapturePayment(order_id=at.order_id, command_key=key_of(at, CapturePayment)),
    VoidPayment: lambda at: VoidPayment(order_id=at.order_id, command_key=key_of(at, VoidPayment)),
    RefundPayment: lambda at: RefundPayment(
        order_id=at.order_id,
        refund_id=at.order_id,
        amount_minor=at.due_minor,
        reason=at.reason or "cancelled",
        command_key=key_of(at, RefundPayment),
    ),
    ReleaseHold: lambda at: ReleaseHold(order_id=at.order_id),
    # Shorter than any hold that lives: it asks whether it still does.
    ExtendHold: lambda at: ExtendHold(order_id=at.order_id, expires_in_s=1),
}

_STATEMENTS: dict[type[Event], Callable[[Standing, str], Event]] = {
    OrderAwaitingCustomer: lambda at, _: OrderAwaitingCustomer(
        order_id=at.order_id,
        reason="action_required" if at.payment == "action_required" else "payment_declined",
        pay_by=cast(datetime, at.deadline),
    ),
    OrderCardChanged: lambda at, _: OrderCardChanged(order_id=at.order_id, attempt=at.tries["authorize"]),
    OrderConfirmed: lambda at, _: OrderConfirmed(
        order_id=at.order_id, currency=at.currency, total_minor=at.total_minor
    ),
    OrderRejected: lambda at, reason: OrderRejected(order_id=at.order_id, reason=reason),
    OrderExpired: lambda at, reason: OrderExpired(order_id=at.order_id, reason=reason),
    OrderCancelling: lambda at, reason: OrderCancelling(order_id=at.order_id, reason=reason),
    OrderCancelled: lambda at, reason: OrderCancelled(order_id=at.order_id, reason=reason),
    SagaStuck: lambda at, _: SagaStuck(order_id=at.order_id, state=at.state.value, reason=at.stuck or "unknown"),
    SagaRetried: lambda at, reason: SagaRetried(order_id=at.order_id, state=at.state.value, reason=reason),
    SagaSkipped: lambda at, reason: SagaSkipped(order_id=at.order_id, state=at.state.value, reason=reason),
}


def _deadline(state: State, now: datetime) -> datetime | None:
    if state in saga.FINAL:
        return None
    return now + (CUSTOMER_DEADLINE if state is saga.AWAITING_CUSTOMER else STEP_DEADLINE)


def overdue(asked: int) -> timedelta:
    """How long to wait for an answer after a command was sent `asked` times: doubled each time, ten minutes at most."""
    return min(STEP_DEADLINE * (1 << min(asked, 10)), timedelta(minutes=10))
