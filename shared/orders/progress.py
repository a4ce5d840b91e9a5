"""Moves a saga: one compare-and-set with its record, the command that it asks for, and what is said of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import orjson
from pydantic import BaseModel
from sqlalchemy import text

from shared.inventory.events import CommitHold, HoldLine, HoldStock, ReleaseHold
from shared.orders import saga
from shared.orders.events import (
    OrderCancelled,
    OrderCancelling,
    OrderCompleted,
    OrderConfirmed,
    OrderRejected,
    SagaStuck,
)
from shared.orders.placing import HOLD_S, STEP_DEADLINE
from shared.orders.saga import Answered, Ending, Move, State
from shared.payments.events import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment
from shared.runtime import Event, Work
from shared.runtime.events import EVENTS

_STANDING = """
select s.order_id, s.state, s.ending, s.reason, s.payment, s.early, s.moves, s.asked, s.deadline,
  o.status, o.customer_id, o.currency, o.total_minor, o.refunded_minor, o.payment_token
from orders.sagas s join orders.orders o on o.id = s.order_id
where s.order_id = :order_id
"""

LOCK = text(f"{_STANDING} for update of s")

LOCK_WITH_ORDER = text(f"{_STANDING} for update of s, o")

MOVE = text("""
with moved as (
  update orders.sagas
  set state = :to_state, ending = :ending, reason = :reason, payment = :payment, early = cast(:early as jsonb),
      moves = moves + 1, asked = 1, deadline = :deadline, updated_at = :now
  where order_id = :order_id and state = :from_state
  returning order_id, moves
)
insert into orders.saga_moves (order_id, position, from_state, to_state, cause, event_id, asked, at)
select order_id, moves, :from_state, :to_state, :cause, :event_id, :asked, :now from moved
""")

SET_STATUS = text("update orders.orders set status = :status, version = version + 1 where id = :order_id")

KEEP_EARLY = text("update orders.sagas set early = early || cast(:answer as jsonb) where order_id = :order_id")

DEMAND = text("""
select sku, sum(quantity)::int as quantity from orders.order_lines where order_id = :order_id group by sku order by sku
""")


class Standing(BaseModel):
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
    status: str
    customer_id: str | None
    currency: str
    total_minor: int
    refunded_minor: int
    payment_token: str


async def lock(work: Work, order_id: UUID, *, with_order: bool = False) -> Standing | None:
    """Nobody else moves the saga until the transaction ends; `with_order`, nobody takes goods back either."""
    row = await work.db.one(LOCK_WITH_ORDER if with_order else LOCK, order_id=order_id)
    return None if row is None else Standing.model_construct(**{**row._asdict(), "state": State(row.state)})


async def advance(work: Work, standing: Standing, event: Answered, event_id: str) -> None:
    """Makes the move that `event` asks for, then those of answers that were kept until now."""
    match saga.reaction(standing.state, type(event)):
        case saga.STALE:
            return
        case saga.EARLY:
            kept = {"type": event.type, "id": event_id, "data": event.model_dump_json()}
            await work.db.send(KEEP_EARLY, order_id=standing.order_id, answer=orjson.dumps(kept).decode())
        case Move() as move:
            moved = await apply(work, standing, event_id, move)
            for kept in moved.early:
                kind = EVENTS[kept["type"]]
                if isinstance(saga.reaction(moved.state, kind), Move):
                    rest = [other for other in moved.early if other is not kept]
                    answer = cast(Answered, kind.model_validate_json(kept["data"]))
                    await advance(work, moved.model_copy(update={"early": rest}), answer, kept["id"])
                    return


async def apply(work: Work, standing: Standing, event: str, move: Move) -> Standing:
    """Makes `move` from where the saga stands. `event` is the CloudEvent's id."""
    ending = move.ending or standing.ending
    reason = move.reason if move.ending or move.to is saga.NEEDS_ATTENTION else standing.reason
    to, say = (move.to, move.say) if move.to is not saga.ENDING else saga.end(ending or "cancelled")
    moved = standing.model_copy(
        update={
            "state": to,
            "ending": ending,
            "reason": reason,
            "payment": move.payment or standing.payment,
            "moves": standing.moves + 1,
            "status": saga.status_of(to, ending),
            "deadline": None if to in saga.FINAL else work.now + STEP_DEADLINE,
        }
    )
    await work.db.send(
        MOVE,
        order_id=standing.order_id,
        from_state=standing.state.value,
        to_state=to.value,
        ending=ending,
        reason=reason,
        payment=moved.payment,
        early=orjson.dumps(standing.early).decode(),
        deadline=moved.deadline,
        now=work.now,
        cause=move.when.__name__,
        event_id=event,
        asked=move.ask and move.ask.__name__,
    )
    if moved.status != standing.status:
        await work.db.send(SET_STATUS, order_id=standing.order_id, status=moved.status)
    if move.ask is not None:
        work.emit(await command(work, moved, move.ask))
    if say is not None:
        work.emit(statement(moved, say))
    return moved


async def cancel(work: Work, standing: Standing, reason: str) -> None:
    """Turns the saga towards CANCELLED. The state must be one of CANCEL."""
    to = saga.CANCEL[standing.state]
    ask = RefundPayment if to is saga.REFUNDING else None
    await apply(
        work,
        standing,
        "",
        Move(OrderCancelling, standing.state, to, ask, OrderCancelling, ending="cancelled", reason=reason),
    )


def key_of(order_id: UUID, name: str) -> str:
    """The key of a saga's command: unique per order and kind, the same whenever it is sent again."""
    return f"{order_id}/{name}"


def is_ours(event: Answered) -> bool:
    """Whether it answers a command of the saga: returns ask the payments domain for refunds too."""
    key = getattr(event, "command_key", None)
    return key is None or key.startswith(f"{event.order_id}/")


async def command(work: Work, standing: Standing, kind: type[Event]) -> Event:
    """The command of that kind for this order; sent again it is the same."""
    order_id = standing.order_id
    if kind is HoldStock:
        rows = await work.db.all(DEMAND, order_id=order_id)
        lines = [HoldLine(sku=row.sku, quantity=row.quantity) for row in rows]
        return HoldStock(order_id=order_id, lines=lines, expires_in_s=HOLD_S)
    return _COMMANDS[kind](standing)


_COMMANDS: dict[type[Event], Callable[[Standing], Event]] = {
    AuthorizePayment: lambda at: AuthorizePayment(
        order_id=at.order_id,
        amount_minor=at.total_minor,
        currency=at.currency,
        payment_token=at.payment_token,
        command_key=key_of(at.order_id, "authorize"),
    ),
    CommitHold: lambda at: CommitHold(order_id=at.order_id),
    CapturePayment: lambda at: CapturePayment(order_id=at.order_id, command_key=key_of(at.order_id, "capture")),
    VoidPayment: lambda at: VoidPayment(order_id=at.order_id, command_key=key_of(at.order_id, "void")),
    RefundPayment: lambda at: RefundPayment(
        order_id=at.order_id,
        refund_id=at.order_id,
        amount_minor=at.total_minor,
        reason=at.reason or "cancelled",
        command_key=key_of(at.order_id, "refund"),
    ),
    ReleaseHold: lambda at: ReleaseHold(order_id=at.order_id),
}


def statement(standing: Standing, kind: type[Event]) -> Event:
    return _STATEMENTS[kind](standing)


_STATEMENTS: dict[type[Event], Callable[[Standing], Event]] = {
    OrderConfirmed: lambda at: OrderConfirmed(order_id=at.order_id, currency=at.currency, total_minor=at.total_minor),
    OrderCompleted: lambda at: OrderCompleted(order_id=at.order_id, currency=at.currency, total_minor=at.total_minor),
    OrderRejected: lambda at: OrderRejected(order_id=at.order_id, reason=at.reason or "rejected"),
    OrderCancelling: lambda at: OrderCancelling(order_id=at.order_id, reason=at.reason or "cancelled"),
    OrderCancelled: lambda at: OrderCancelled(order_id=at.order_id, reason=at.reason or "cancelled"),
    SagaStuck: lambda at: SagaStuck(order_id=at.order_id, state=at.state.value, reason=at.reason or "unknown"),
}


def overdue(asked: int) -> timedelta:
    """How long to wait for an answer after a command was sent `asked` times: doubled each time, ten minutes at most."""
    return min(STEP_DEADLINE * (1 << min(asked, 10)), timedelta(minutes=10))
