"""The port to the payment provider: an attempt in, an outcome out, and never an exception for the provider's faults."""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import orjson

from shared.payments.events import Operation
from shared.runtime import Egress

TIMEOUT_S = 4.0
"""For one request, all in all; an attempt makes two at most, which leaves a handler's 20 s room to settle."""

Result = Literal["succeeded", "failed", "unknown"]
SUCCESSES = frozenset({"authorized", "captured", "voided", "refunded"})
REFUSALS = frozenset({"declined", "failed"})
# Refused before the provider looked at the money: the same request would be refused again.
REFUSING_STATUSES = frozenset({400, 404})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt; `amount_minor` is what it was for."""

    key: str
    order_id: UUID
    result: Result
    amount_minor: int
    code: str | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One operation at the provider, committed under its key before this is used.

    `heard_of` says that an earlier run may have sent it. `decided` is an outcome that needs no provider.
    """

    key: str
    order_id: UUID
    operation: Operation
    amount_minor: int
    currency: str | None = None
    payment_token: str | None = None
    provider_id: str | None = None
    heard_of: bool = False
    decided: Outcome | None = None


async def perform(attempt: Attempt, egress: Egress) -> Outcome:
    """Asks by key first if the provider may have heard of the attempt, then sends it under that same key.

    Anything but a clear answer is `unknown`: also a refused connection, since only the provider's books can tell.
    """
    from aiohttp import ClientError  # late, as egress itself: only those who call need it

    if attempt.decided is not None:
        return attempt.decided
    try:
        if attempt.heard_of:
            status, body = await _ask(attempt, egress)
            if status != 404:
                return _outcome(attempt, status, body)
        return _outcome(attempt, *await _send(attempt, egress))
    except (ClientError, TimeoutError, OSError):
        return _unknown(attempt)


async def _ask(attempt: Attempt, egress: Egress) -> tuple[int, bytes]:
    from aiohttp import ClientTimeout
    from yarl import URL

    url = URL(f"{egress.settings.provider_url}/v1/operations/{quote(attempt.key, safe='')}", encoded=True)
    async with egress.http.get(url, timeout=ClientTimeout(total=TIMEOUT_S)) as response:
        return response.status, await response.read()


async def _send(attempt: Attempt, egress: Egress) -> tuple[int, bytes]:
    from aiohttp import ClientTimeout

    url = f"{egress.settings.provider_url}/v1/authorizations"
    body: dict[str, object] = {"amount_minor": attempt.amount_minor}
    if attempt.operation == "authorize":
        body |= {
            "token": attempt.payment_token,
            "currency": attempt.currency,
            "reference": str(attempt.order_id),
        }
    else:
        url = f"{url}/{attempt.provider_id}/{attempt.operation}"
    headers = {"idempotency-key": attempt.key, "content-type": "application/json"}
    timeout = ClientTimeout(total=TIMEOUT_S)
    async with egress.http.post(url, data=orjson.dumps(body), headers=headers, timeout=timeout) as response:
        return response.status, await response.read()


def _outcome(attempt: Attempt, status: int, body: bytes) -> Outcome:
    if status >= 500:
        return _unknown(attempt)
    said = _said(body)
    if said.get("status") in SUCCESSES:
        return Outcome(
            attempt.key, attempt.order_id, "succeeded", attempt.amount_minor, provider_id=_text(said.get("id"))
        )
    if said.get("status") in REFUSALS or status in REFUSING_STATUSES:
        code = _text(said.get("code")) or "refused_by_provider"
        return Outcome(attempt.key, attempt.order_id, "failed", attempt.amount_minor, code, _text(said.get("id")))
    return _unknown(attempt)


def _unknown(attempt: Attempt) -> Outcome:
    return Outcome(attempt.key, attempt.order_id, "unknown", attempt.amount_minor)


def _said(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
