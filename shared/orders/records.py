"""The whole of an order on one sheet: what it is, where it stands, and everything that happened to it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from shared.orders.desk_problems import UnknownNumber
from shared.orders.finding import COLUMNS, DeskSummary
from shared.orders.fulfilment_views import OF_ORDER as FULFILMENTS
from shared.orders.fulfilment_views import OPEN_STEPS, FulfilmentView, RefundView, StepView
from shared.orders.fulfilment_views import REFUNDS_OF_ORDER as REFUNDS
from shared.orders.problems import UnknownOrder
from shared.orders.saga import WAITS_FOR, State
from shared.orders.story import ACT, DEAD_LETTER, FAILURE, MOVE, NOTE, PAYMENT, TRACED_EVENT, story
from shared.runtime import Work
from shared.runtime.log import redacted
from shared.vocabulary import Address

WHICH = text("select id from orders.orders where number = upper(:number)")

ORDER = text(f"""
select {COLUMNS}, o.recorded, o.capture, o.on_decline, o.subtotal_minor, o.discount_minor, o.shipping_minor,
  o.tax_minor, o.shipping_method, o.discount_codes, o.shipping_address, o.billing_address, o.erased_at,
  s.state, s.asked, s.deadline, s.stuck, s.tries
from orders.orders o join orders.sagas s on s.order_id = o.id where o.id = :order_id
""")  # noqa: S608 - of constants

LINES = text("""
select line_no, sku, title, quantity, unit_price_minor, discount_minor, tax_minor, total_minor, shipped_quantity,
  cancelled_quantity, returned_quantity
from orders.order_lines where order_id = :order_id order by line_no
""")

MONEY = text("""
select status, authorized_minor, captured_minor, voided_minor, refunded_minor, disputed_minor
from payments.payments where order_id = :order_id
""")

PARTS = {"lines": LINES, "fulfilments": FULFILMENTS, "refunds": REFUNDS, "open_steps": OPEN_STEPS}

STORY = text(story(TRACED_EVENT, MOVE, FAILURE, DEAD_LETTER, PAYMENT, NOTE, ACT, limit=2000))


class RecordLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    line_no: int
    sku: str
    title: str
    quantity: int
    unit_price_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    shipped_quantity: int
    cancelled_quantity: int
    returned_quantity: int


class RecordMoney(BaseModel):
    model_config = ConfigDict(frozen=True)

    status: str
    authorized_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    disputed_minor: int


class RecordSaga(BaseModel):
    """`waits_for` is the command whose answer is awaited, sent `asked` times and again at `deadline`."""

    model_config = ConfigDict(frozen=True)

    state: State
    waits_for: str | None
    asked: int
    deadline: datetime | None
    stuck: str | None
    tries: dict[str, int]


class Happened(BaseModel):
    """`what` is an event's type, a state, the function that failed, what the provider was asked, who wrote, or an act.

    Of an event `detail` has its `correlation` and its `trace`, and `because`: the event that led to it.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: Literal["event", "move", "failure", "dead-letter", "payment", "note", "act"]
    what: str
    detail: dict[str, Any]


class OrderRecord(DeskSummary):
    """`correlations` are the ids under which logs tell of it, `dead_letters` those that wait to be sent again.

    `open_steps` are asked of inventory and payments, or wait for a person.
    """

    recorded: bool
    capture: str
    on_decline: str
    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    tax_minor: int
    shipping_method: str | None
    discount_codes: list[str]
    shipping_address: Address | None
    billing_address: Address | None
    erased_at: datetime | None
    lines: list[RecordLine]
    saga: RecordSaga
    money: RecordMoney | None
    fulfilments: list[FulfilmentView]
    refunds: list[RefundView]
    open_steps: list[StepView]
    correlations: list[str]
    dead_letters: int
    story: list[Happened]


async def read_record(work: Work, named: str) -> OrderRecord:
    """By id or by number. Raises UnknownOrder, UnknownNumber."""
    order_id = await _id_of(work, named)
    sent = {name: work.db.enqueue(one, order_id=order_id) for name, one in (*PARTS.items(), ("money", MONEY))}
    told = work.db.enqueue(STORY, order_id=order_id)
    order = await work.db.one(ORDER, order_id=order_id)
    if order is None:
        raise UnknownOrder(order_id=order_id)
    awaited = WAITS_FOR.get(State(order.state))
    happened = [{**row._asdict(), "detail": redacted(row.detail)} for row in await told.all()]
    money = await sent["money"].one()
    return OrderRecord.model_validate(
        {
            **order._asdict(),
            **{name: [row._asdict() for row in await sent[name].all()] for name in PARTS},
            "saga": {**order._asdict(), "waits_for": awaited and awaited.__name__},
            "money": money and money._asdict(),
            "correlations": list(dict.fromkeys(c for one in happened if (c := one["detail"].get("correlation")))),
            "dead_letters": sum(one["kind"] == "dead-letter" and not one["detail"]["replayed_at"] for one in happened),
            "story": happened,
        }
    )


async def _id_of(work: Work, named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        found: UUID | None = await work.db.value(WHICH, number=named)
        if found is None:
            raise UnknownNumber(number=named) from None
        return found
