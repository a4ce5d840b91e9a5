"""Show the whole of one order: what it is, where it stands, and all that happened to it (ORD-013, ORD-015)."""

from typing import Annotated

from pydantic import Field

from shared.orders.desk_tables import notes
from shared.orders.fulfilment_tables import fulfilment_lines, fulfilments, refunds, steps
from shared.orders.records import OrderRecord, read_record
from shared.orders.tables import audit, order_lines, orders, saga_moves, sagas
from shared.payments.tables import attempts as payment_attempts
from shared.payments.tables import payments
from shared.platform.tables import attempts, dead_letters, outbox
from shared.runtime import Request, Work, http


class DescribeOrder(Request):
    """`order` is its id or its number."""

    order: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,36}$", examples=["7Z3KD-0QX8M"])]


@http(
    "GET /v1/admin/orders/{order}",
    role=("admin", "operator"),
    reads=[
        *(orders, order_lines, sagas, saga_moves, audit, notes),
        *(fulfilments, fulfilment_lines, refunds, steps),
        *(payments, payment_attempts, outbox, attempts, dead_letters),
    ],
)
async def describe_order(request: DescribeOrder, work: Work) -> OrderRecord:
    """Events are told for 30 days, moves and acts for as long as they are kept; payment tokens never.

    Raises UnknownOrder, UnknownNumber.
    """
    return await read_record(work, request.order)
