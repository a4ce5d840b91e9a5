"""Orders brought to any state of their saga by what inventory and payments would say."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from functions.orders.advance_order import advance_order
from functions.orders.cancel_order import CancelOrder, cancel_order
from functions.orders.record_order import RecordOrder, record_order
from shared.inventory.events import HoldCommitted, HoldExpired, HoldRejected, HoldReleased, StockHeld
from shared.orders.saga import State
from shared.payments.events import (
    CaptureFailed,
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    RefundFailed,
    RefundSucceeded,
    VoidFailed,
)
from shared.runtime import Event
from tests.conftest import ADMIN, CUSTOMER, NOW, Books, Run

TOTAL = 2590
"""Of every order of these tests, in minor units: two mugs."""

ACTION_URL = "https://provider.example/actions/1"

CANCELLED = "changed my mind"

Told = type[Event] | str
"""What happens to an order: something it is told, or CANCELLED."""

WAYS: dict[State, Sequence[Told]] = {
    State.HOLDING: (),
    State.AUTHORIZING: (StockHeld,),
    State.AWAITING_CUSTOMER: (StockHeld, PaymentActionRequired),
    State.COMMITTING: (StockHeld, PaymentAuthorized),
    State.CAPTURING: (StockHeld, PaymentAuthorized, HoldCommitted),
    State.COMPLETED: (StockHeld, PaymentAuthorized, HoldCommitted, PaymentCaptured),
    State.CANCELLING_HOLD: (CANCELLED,),
    State.CANCELLING_AUTHORIZATION: (StockHeld, CANCELLED),
    State.CANCELLING_COMMIT: (StockHeld, PaymentAuthorized, CANCELLED),
    State.CANCELLING_CAPTURE: (StockHeld, PaymentAuthorized, HoldCommitted, CANCELLED),
    State.VOIDING: (StockHeld, PaymentAuthorized, HoldCommitted, CaptureFailed),
    State.REFUNDING: (StockHeld, PaymentAuthorized, HoldCommitted, PaymentCaptured, CANCELLED),
    State.RELEASING: (StockHeld, PaymentDeclined),
    State.REJECTED: (HoldRejected,),
    State.EXPIRED: (HoldExpired,),
    State.CANCELLED: (CANCELLED, HoldRejected),
    State.NEEDS_ATTENTION: (StockHeld, PaymentAuthorized, HoldCommitted, CaptureFailed, VoidFailed),
}


def recorded(**changed: Any) -> RecordOrder:
    order = {
        "reference": "A-1",
        "customer_id": CUSTOMER.subject,
        "placed_at": NOW - timedelta(days=1),
        "currency": "GBP",
        "lines": [{"sku": "mug", "title": "A mug", "quantity": 2, "unit_price_minor": TOTAL // 2}],
        "payment_token": "tok_approve",
    }
    return RecordOrder.model_validate(order | changed)


def told(kind: type[Event], order: UUID) -> Event:
    """What inventory or payments says of the order, in its simplest form."""
    money = {"order_id": order, "amount_minor": TOTAL, "currency": "GBP", "code": "no_such_luck"}
    fields: dict[type[Event], dict[str, Any]] = {
        StockHeld: {"order_id": order, "expires_at": NOW + timedelta(minutes=15)},
        HoldRejected: {"order_id": order, "shortages": {"mug": 1}},
        HoldCommitted: {"order_id": order},
        HoldExpired: {"order_id": order},
        HoldReleased: {"order_id": order},
        PaymentAuthorized: money | {"command_key": f"{order}/authorize"},
        PaymentActionRequired: money
        | {"command_key": f"{order}/authorize", "action_url": ACTION_URL, "expires_at": NOW + timedelta(minutes=10)},
        PaymentDeclined: money | {"command_key": f"{order}/authorize"},
        PaymentCaptured: money | {"command_key": f"{order}/capture"},
        CaptureFailed: money | {"command_key": f"{order}/capture"},
        PaymentVoided: money | {"command_key": f"{order}/void"},
        VoidFailed: money | {"command_key": f"{order}/void"},
        PaymentUnknown: {"order_id": order, "command_key": f"{order}/capture", "operation": "capture"},
        RefundSucceeded: money | {"command_key": f"{order}/refund", "refund_id": order},
        RefundFailed: money | {"command_key": f"{order}/refund", "refund_id": order},
    }
    return kind.model_validate(fields[kind])


async def happens(run: Run, order: UUID, what: Told) -> list[Event]:
    """Gives what is emitted."""
    if isinstance(what, str):
        _, emitted = await run(cancel_order, CancelOrder(order_id=order, reason=what))
    else:
        _, emitted = await run(advance_order, told(what, order))
    return emitted


async def order_at(run: Run, state: State, db: Books | None = None, **kept: str) -> UUID:
    """`kept` is what its row says beside what all orders of these tests do, such as capture="at_shipment"."""
    view, _ = await run(record_order, recorded(), caller=ADMIN)
    for column, value in kept.items():
        assert db is not None
        change = f"update orders.orders set {column} = %(value)s where id = %(id)s"  # noqa: S608 - names of ours
        await db.run(change, value=value, id=view.id)
    for what in WAYS[state]:
        if kept.get("capture") == "at_shipment" and what is PaymentCaptured:
            continue
        await happens(run, view.id, what)
    return UUID(str(view.id))


async def standing(db: Books, order: UUID) -> Any:
    return await db.one(
        """select s.state, o.status, s.payment, s.ending, s.reason, s.early, s.asked, s.deadline, s.moves, s.stuck,
          s.tries, s.action_url, o.version
        from orders.sagas s join orders.orders o on o.id = s.order_id where o.id = %(order)s""",
        order=order,
    )


async def moves(db: Books, order: UUID) -> list[tuple[Any, ...]]:
    """From, to, cause, asked."""
    rows = await db.all(
        """select from_state, to_state, cause, asked from orders.saga_moves where order_id = %(order)s
        order by position""",
        order=order,
    )
    return [tuple(row) for row in rows]
