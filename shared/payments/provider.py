"""The port to the payment provider: an attempt in, an outcome out, and never an exception for the provider's faults."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import orjson

from shared.payments import metrics
from shared.payments.events import Operation
from shared.runtime import Egress

TIMEOUT_S = 4.0
"""For one request, all in all; an attempt makes two at most, which leaves a handler's 20 s room to settle."""

Result = Literal["succeeded", "failed", "unknown", "action"]
SUCCESSES = frozenset({"authorized", "captured", "voided", "refunded"})
REFUSALS = frozenset({"declined", "failed"})
# Refused before the provider looked at the money: the same request would be refused again.
REFUSING_STATUSES = frozenset({400, 404})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt; `amount_minor` is what it was for.

    `answered` is whether the provider was heard, None where it was not called; `doubted` whether others had failed to.
    """

    key: str
    order_id: UUID
    result: Result
    amount_minor: int
    code: str | None = None
    provider_id: str | None = None
    action_url: str | None = None
    action_expires_at: datetime | None = None
    ends_action: bool = False
    answered: bool | None = None
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One operation at the provider, committed under its key before this is used.

    `heard_of` says that an earlier run may have sent it. `decided` is an outcome that needs no provider. A void that
    `ends_action` gives back whatever came of what the customer was asked to do.
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
    ends_action: bool = False
    doubtful: bool = False

    def doubted(self) -> "Attempt":
        return replace(self, doubtful=True)

    def settled_as(self, outcome: Outcome) -> "Attempt":
        return replace(self, decided=outcome)


async def perform(attempt: Attempt, egress: Egress) -> Outcome:
    """Asks by key first if the provider may have heard of the attempt, then sends it under that same key.

    Anything but a clear answer is `unknown`: also a refused connection, since only the provider's books can tell.
    """
    from aiohttp import ClientError  # late, as egress itself: only those who call need it

    if attempt.decided is not None:
        return attempt.decided
    began = perf_counter()
    try:
        outcome = await _performed(attempt, egress)
    except (ClientError, TimeoutError, OSError):
        outcome = replace(unknown(attempt), answered=False)
    metrics.CALL.labels(attempt.operation).observe(perf_counter() - began)
    return replace(outcome, doubted=attempt.doubtful) if attempt.doubtful else outcome


async def _performed(attempt: Attempt, egress: Egress) -> Outcome:
    if attempt.heard_of:
        status, body = await _ask(attempt, egress)
        if status != 404:
            return outcome_of(attempt, status, body)
    return outcome_of(attempt, *await _send(attempt, egress))


async def _ask(attempt: Attempt, egress: Egress) -> tuple[int, bytes]:
    from aiohttp import ClientTimeout
    from yarl import URL

    url = URL(f"{egress.settings.provider_url}/v1/operations/{quote(attempt.key, safe='')}", encoded=True)
    async with egress.http.get(url, timeout=ClientTimeout(total=TIMEOUT_S)) as response:
        return response.status, await response.read()


async def _send(attempt: Attempt, egress: Egress) -> tuple[int, bytes]:
    from aiohttp import ClientTimeout

    url = f"{egress.settings.provider_url}/v1/authorizations"
    body: dict[str, object] = {} if attempt.ends_action else {"amount_minor": attempt.amount_minor}
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


def outcome_of(attempt: Attempt, status: int, body: bytes) -> Outcome:
    """What the provider's answer says; whoever answers is there, but for a 5xx."""
    if status >= 500:
        return replace(unknown(attempt), answered=False)
    return replace(told(attempt, said(body), status), answered=True)


def told(attempt: Attempt, said: Mapping[str, Any], status: int = 200) -> Outcome:
    """What a document of the provider's says of the attempt: an answer, or one that it sends by itself."""
    key, order_id, amount_minor = attempt.key, attempt.order_id, attempt.amount_minor
    id = _text(said.get("id"))
    match said.get("status"):
        case done if done in SUCCESSES:
            if attempt.ends_action:
                amount_minor = _amount(said.get("amount_minor"))
            ended = attempt.ends_action
            return Outcome(key, order_id, "succeeded", amount_minor, provider_id=id, ends_action=ended)
        case "action_required":
            url, expires_at = _text(said.get("action_url")), _moment(said.get("expires_at"))
            if url is not None and expires_at is not None:
                return Outcome(key, order_id, "action", amount_minor, None, id, url, expires_at)
        case other if other in REFUSALS or status in REFUSING_STATUSES:
            return Outcome(key, order_id, "failed", amount_minor, _text(said.get("code")) or "refused_by_provider", id)
    return unknown(attempt)


def unknown(attempt: Attempt) -> Outcome:
    return Outcome(attempt.key, attempt.order_id, "unknown", attempt.amount_minor)


def said(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: object) -> str | None:
    return value[:2_000] if isinstance(value, str) and "\x00" not in value else None


def _amount(value: object) -> int:
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def _moment(value: object) -> datetime | None:
    """A moment in ISO 8601 with its offset; anything else is none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.utcoffset() is None else moment.astimezone(UTC)
