"""Let an order's hold last longer or shorter, or end it now, by hand (INV-006)."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.inventory.events import HoldExpired, HoldExtended
from shared.inventory.holds import Status, expire, extend, lock_hold
from shared.inventory.problems import HoldNotHeld, UnknownHold
from shared.inventory.status import STATUS_EVENTS
from shared.inventory.tables import hold_lines, holds, items, locations, stock
from shared.runtime import Request, View, Work, http


class SetHoldExpiry(Request):
    """Counted from now, 30 days at most; with 0 what is held is given back at once."""

    order_id: UUID
    expires_in_s: Annotated[int, Field(strict=True, ge=0, le=30 * 86_400)]


class Expiry(View):
    order_id: UUID
    status: Status
    expires_at: datetime


@http(
    "PUT /v1/holds/{order_id}/expiry",
    role=("admin", "operator"),
    reads=[locations],
    writes=[items, holds, hold_lines, stock],
    emits=[HoldExtended, HoldExpired, *STATUS_EVENTS],
)
async def set_hold_expiry(request: SetHoldExpiry, work: Work) -> Expiry:
    """The order's saga is told. A hold whose time is over is not revived, but can be ended before the timer does.

    Raises UnknownHold, HoldNotHeld.
    """
    order_id = request.order_id
    hold = await lock_hold(work, order_id)
    if hold is None:
        raise UnknownHold(order_id=order_id)
    over = hold.expires_at <= work.now
    if hold.status is not Status.HELD or (over and request.expires_in_s):
        raise HoldNotHeld(order_id=order_id, hold_status=hold.status, expires_at=hold.expires_at)
    if request.expires_in_s:
        expires_at = work.now + timedelta(seconds=request.expires_in_s)
        await extend(work, order_id, expires_at)
        work.emit(HoldExtended(order_id=order_id, expires_at=expires_at))
        return Expiry(order_id=order_id, status=Status.HELD, expires_at=expires_at)
    ended_at = min(hold.expires_at, work.now)
    await extend(work, order_id, ended_at)
    await expire(work, [order_id])
    work.emit(HoldExpired(order_id=order_id))
    return Expiry(order_id=order_id, status=Status.EXPIRED, expires_at=ended_at)
