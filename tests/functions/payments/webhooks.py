"""Webhooks as the provider signs them, and what it says in them."""

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from functions.payments.receive_provider_event import receive_provider_event
from shared.runtime.answers import Answer
from shared.runtime.webhooks import signed

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
OTHER = "whsec_" + "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXpBQkNERUY="

Tell = Callable[..., Awaitable[Answer]]


def telling(endpoint_of: Callable[[Any], Any]) -> Tell:
    """Sends a webhook to the shop; `body` and headers may be altered after it was signed."""

    async def tell(
        type: str,
        data: dict[str, Any],
        *,
        id: str = "evt_1",
        secret: str = SECRET,
        age_s: float = 0.0,
        altered: bytes | None = None,
        **headers: str,
    ) -> Answer:
        body = json.dumps({"type": type, "timestamp": "2026-03-01T12:00:00Z", "data": data}).encode()
        sent = signed(id, datetime.fromtimestamp(time.time() - age_s, UTC), body, [secret])
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if altered is None else altered
        answer: Answer = await endpoint_of(receive_provider_event).handle(
            "POST", "/v1/provider-webhooks", b"", sent, content
        )
        return answer

    return tell


def settled(order: UUID, operation: str, status: str, id: str, amount_minor: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "key": f"{order}:{operation}",
        "reference": str(order),
        "operation": operation,
        "status": status,
        "id": id,
        "code": None,
        "amount_minor": amount_minor,
        **more,
    }
