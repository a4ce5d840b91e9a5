"""What people do to orders is kept with who did it and why, in the transaction that does it."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.orders.desk_metrics import ACTIONS
from shared.runtime import Work

RECORD = text("""
insert into orders.audit (at, actor, action, order_id, reason, detail)
values (:now, :actor, :action, :order_id, :reason, cast(:detail as jsonb))
""")


async def record(
    work: Work, action: str, order_id: UUID | None = None, *, reason: str | None = None, **detail: Any
) -> None:
    """`action` is what was done, such as `order.cancelled`; `detail` has no personal data: it is kept for good.

    The function declares that it writes `audit`.
    """
    ACTIONS.labels(action).inc()
    await work.db.send(
        RECORD,
        now=work.now,
        actor=work.caller.subject,
        action=action,
        order_id=order_id,
        reason=reason,
        detail=orjson.dumps(detail).decode(),
    )
