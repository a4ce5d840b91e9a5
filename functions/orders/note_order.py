"""Write a note to an order, for those who look after it later (ORD-013)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlalchemy import text

from shared.orders.audit import record
from shared.orders.desk import known
from shared.orders.desk_tables import notes
from shared.orders.tables import audit, orders
from shared.runtime import Request, View, Work, http

KEEP = text("""
insert into orders.notes (order_id, at, actor, text) values (:order_id, :now, :actor, :text) returning id
""")


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


class NoteOrder(Request):
    order_id: UUID
    text: Annotated[
        str, Field(min_length=1, max_length=4000, examples=["Called: ring twice."]), AfterValidator(_not_blank)
    ]


class NoteView(View):
    id: int
    order_id: UUID
    at: datetime
    actor: str
    text: str


@http(
    "POST /v1/admin/orders/{order_id}/notes",
    status=201,
    role=("admin", "operator"),
    idempotent=True,
    reads=[orders],
    writes=[notes, audit],
)
async def note_order(request: NoteOrder, work: Work) -> NoteView:
    """A note is never altered; its text goes when its customer is erased. Raises UnknownOrder."""
    await known(work, request.order_id)
    actor = work.caller.subject
    note = await work.db.value(KEEP, order_id=request.order_id, now=work.now, actor=actor, text=request.text)
    await record(work, "order.noted", request.order_id, note=note)
    return NoteView(id=note, order_id=request.order_id, at=work.now, actor=actor, text=request.text)
