"""Orders as they stand in the books when all is said of them: sold, cancelled, refunded, or never sold."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from tests.conftest import NOW, Books

ORDER = """
insert into orders.orders (id, number, customer_id, recorded, placed_at, currency, country, subtotal_minor,
  shipping_minor, total_minor, payment_token, status, version, created_at)
values (%(id)s, %(id)s, %(customer)s, true, %(at)s, %(currency)s, %(country)s, %(lines)s, %(shipping)s, %(total)s, 't',
  %(status)s, 1, %(at)s)
"""
LINE = """
insert into orders.order_lines (order_id, line_no, sku, title, quantity, unit_price_minor, total_minor, category_id)
values (%(id)s, %(no)s, %(sku)s, %(sku)s, %(quantity)s, %(price)s, %(total)s, %(category)s)
"""
SAGA = """
insert into orders.sagas (order_id, state, reason, payment, moves, updated_at)
values (%(id)s, %(state)s, %(reason)s, 'none', 1, %(at)s)
"""
CONFIRMED = """
insert into orders.saga_moves (order_id, position, from_state, to_state, cause, at)
values (%(id)s, 4, 'committing', 'capturing', 'HoldCommitted', %(at)s)
"""
CANCELLED = """
insert into orders.saga_moves (order_id, position, from_state, to_state, cause, at)
values (%(id)s, 9, 'releasing', 'cancelled', 'HoldReleased', %(at)s)
"""
PAYMENT = """
insert into payments.payments (order_id, last_said, currency, amount_minor, authorized_minor, captured_minor,
  created_at, updated_at)
values (%(id)s, 'captured', %(currency)s, %(total)s, %(total)s, %(captured)s, %(at)s, %(at)s)
"""
ATTEMPT = """
insert into payments.attempts (key, order_id, operation, amount_minor, refund_id, state, created_at, finished_at)
values (%(key)s, %(id)s, %(operation)s, %(amount)s, %(refund)s, 'succeeded', %(at)s, %(at)s)
"""
PAID_BACK = "update payments.payments set refunded_minor = refunded_minor + %(amount)s where order_id = %(id)s"
RETURN = """
insert into orders.returns (id, customer_id, sku, quantity, unit_price_minor, currency, returned_at, reason, actor,
  created_at)
select %(refund)s, 'ann', sku, %(quantity)s, 0, 'GBP', %(at)s, 'chipped', 'a', now()
from orders.order_lines where order_id = %(id)s and line_no = %(no)s
"""
RETURN_LINE = """
with counted as (
  update orders.order_lines set returned_quantity = returned_quantity + %(quantity)s
  where order_id = %(id)s and line_no = %(no)s
)
insert into orders.return_lines (return_id, refund_id, order_id, line_no, quantity, amount_minor, status)
values (%(refund)s, %(refund)s, %(id)s, %(no)s, %(quantity)s, %(amount)s, 'succeeded')
"""


async def sold(
    db: Books,
    *lines: tuple[str, int, int],
    at: datetime | str = NOW,
    currency: str = "GBP",
    country: str | None = None,
    customer: str | None = "ann",
    shipping: int = 0,
    captured: int | None = None,
    category: UUID | None = None,
    status: str = "confirmed",
) -> UUID:
    """Confirmed, and paid unless less was `captured`; each line is a SKU, a quantity and a price."""
    id, paid_lines = uuid4(), sum(quantity * price for _, quantity, price in lines)
    values: dict[str, Any] = {
        "id": id, "at": at, "currency": currency, "country": country, "customer": customer, "shipping": shipping,
        "lines": paid_lines, "total": paid_lines + shipping, "status": status,
        "captured": paid_lines + shipping if captured is None else captured,
    }  # fmt: skip
    await db.run(ORDER, **values)
    for no, (sku, quantity, price) in enumerate(lines, 1):
        line = {"no": no, "sku": sku, "quantity": quantity, "price": price, "total": quantity * price}
        await db.run(LINE, id=id, category=category, **line)
    await db.run(SAGA, **values, state="completed", reason=None)
    await db.run(CONFIRMED, **values)
    await db.run(PAYMENT, **values)
    await db.run(ATTEMPT, key=f"{id}/capture", operation="capture", amount=values["captured"], refund=None, **values)
    return id


async def cancelled(db: Books, order: UUID, *, at: datetime | str, reason: str = "changed my mind") -> None:
    """After it was sold; what is captured and not refunded goes back."""
    back = await db.value("select captured_minor - refunded_minor from payments.payments where order_id = %(id)s",
                          id=order)  # fmt: skip
    await db.run("update orders.orders set status = 'cancelled' where id = %(id)s", id=order)
    await db.run(
        "update orders.sagas set state = 'cancelled', reason = %(reason)s where order_id = %(id)s",
        id=order, reason=reason,
    )  # fmt: skip
    await db.run(CANCELLED, id=order, at=at)
    if back:
        paid = {"id": order, "amount": back, "at": at}
        await db.run(ATTEMPT, key=f"{order}/refund", operation="refund", refund=uuid4(), **paid)
        await db.run(PAID_BACK, id=order, amount=back)


async def refunded(
    db: Books, order: UUID, amount: int, *, at: datetime | str, line: int | None = None, quantity: int = 1
) -> UUID:
    """Paid back, for goods of a line that came back, or for none."""
    refund = uuid4()
    values: dict[str, Any] = {"id": order, "refund": refund, "amount": amount, "at": at, "quantity": quantity}
    if line is not None:
        await db.run(RETURN, no=line, **values)
        await db.run(RETURN_LINE, no=line, **values)
    await db.run(ATTEMPT, key=f"refund/{refund}", operation="refund", **values)
    await db.run(PAID_BACK, **values)
    return refund


async def never_sold(db: Books, status: str, reason: str, *, at: datetime | str = NOW, amount: int = 100) -> UUID:
    id = uuid4()
    values: dict[str, Any] = {
        "id": id, "at": at, "currency": "GBP", "country": "GB", "customer": "ann", "shipping": 0, "lines": amount,
        "total": amount, "status": status,
    }  # fmt: skip
    await db.run(ORDER, **values)
    await db.run(LINE, id=id, no=1, sku="mug", quantity=1, price=amount, total=amount, category=None)
    await db.run(SAGA, **values, state=status, reason=reason)
    return id
